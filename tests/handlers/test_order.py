from datetime import UTC, datetime

import pytest
from stepping import TASK, metadata_of, walk

ITEMS = [
    {"sku": "WIDGET", "quantity": 3, "price": 19.99},
    {"sku": "GADGET", "quantity": 1, "price": "0.10"},
]


def order(**changes):
    whole = {
        "customer": {"id": "C-1", "email": "ada@example.com"},
        "items": ITEMS,
        "payment": {"method": "card", "token": "tok_visa"},
        "shipping": {"method": "express", "address": {"city": "Springfield"}},
    }
    return {key: value for key, value in {**whole, **changes}.items() if value is not ...}


@pytest.fixture
def fulfilled(templates, registry):
    template = templates.find("order_fulfillment", "business_workflow")
    return lambda context: walk(template, registry, context)


def test_an_order_is_validated_reserved_paid_and_shipped(fulfilled):
    results, outcome = fulfilled(order())
    assert outcome.error is None
    assert results["validate_order"]["validated_items"] == [
        {"sku": "WIDGET", "quantity": 3, "price": "19.99", "line_total": "59.97"},
        {"sku": "GADGET", "quantity": 1, "price": "0.10", "line_total": "0.10"},
    ]
    assert results["validate_order"]["order_total"] == "60.07"
    assert results["process_payment"]["amount_charged"] == "60.07"
    assert results["process_payment"]["currency"] == "USD"
    shipped = results["ship_order"]
    assert (shipped["carrier"], shipped["shipping_cost"]) == ("UPS", "19.00")
    assert shipped["payment_id"] == results["process_payment"]["payment_id"]
    assert shipped["reservation_id"] == results["reserve_inventory"]["reservation_id"]


def test_dates_count_from_the_submission(fulfilled):
    results, _ = fulfilled(order())
    submitted = datetime.fromtimestamp(int(TASK[:12], 16) / 1000, UTC)
    expires = datetime.fromisoformat(results["reserve_inventory"]["expires_at"])
    delivered = datetime.fromisoformat(results["ship_order"]["estimated_delivery"])
    assert (expires - submitted).total_seconds() == 60
    assert (delivered.date() - submitted.date()).days == 2


def test_a_second_execution_gives_the_same_references(fulfilled):
    assert fulfilled(order()) == fulfilled(order())


def test_references_differ_between_steps(fulfilled):
    results, _ = fulfilled(order())
    payment = results["process_payment"]
    numbers = {
        results["reserve_inventory"]["reservation_id"].partition("-")[2],
        payment["payment_id"].partition("-")[2],
        results["ship_order"]["tracking_number"].partition("-")[2],
    }
    assert len(numbers) == 3
    assert payment["transaction_id"] != payment["payment_id"]


def test_money_is_exact(fulfilled):
    items = [{"sku": "A", "quantity": 1, "price": 0.1}, {"sku": "B", "quantity": 1, "price": 0.2}]
    results, _ = fulfilled(order(items=items))
    assert results["validate_order"]["order_total"] == "0.30"
    # The float nearest to 1.005 lies below it, and would round down.
    results, _ = fulfilled(order(items=[{"sku": "A", "quantity": 1, "price": 1.005}]))
    assert results["validate_order"]["order_total"] == "1.01"


def test_shipping_is_standard_unless_said_otherwise(fulfilled):
    results, _ = fulfilled(order(shipping={"address": "1 Main Street"}))
    assert results["ship_order"]["carrier"] == "USPS"
    assert results["ship_order"]["shipping_cost"] == "7.00"


def item(**changes):
    whole = {"sku": "A", "quantity": 1, "price": "5.00", **changes}
    return [{key: value for key, value in whole.items() if value is not ...}]


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"customer": ...}, "customer", "MISSING_CONTEXT_FIELD"),
        ({"customer": "ada"}, "customer", "VALIDATION_ERROR"),
        ({"customer": {"email": "a@b"}}, "customer.id", "MISSING_CONTEXT_FIELD"),
        ({"customer": {"id": ""}}, "customer.id", "VALIDATION_ERROR"),
        ({"items": ...}, "items", "MISSING_CONTEXT_FIELD"),
        ({"items": []}, "items", "VALIDATION_ERROR"),
        ({"items": {"sku": "A"}}, "items", "VALIDATION_ERROR"),
        ({"items": ["A"]}, "items[0]", "VALIDATION_ERROR"),
        ({"items": ITEMS + item(sku=...)}, "items[2].sku", "MISSING_CONTEXT_FIELD"),
        ({"items": item(quantity=...)}, "items[0].quantity", "MISSING_CONTEXT_FIELD"),
        ({"items": item(quantity=0)}, "items[0].quantity", "VALIDATION_ERROR"),
        ({"items": item(quantity=-1)}, "items[0].quantity", "VALIDATION_ERROR"),
        ({"items": item(quantity=1.5)}, "items[0].quantity", "VALIDATION_ERROR"),
        ({"items": item(quantity=True)}, "items[0].quantity", "VALIDATION_ERROR"),
        ({"items": item(quantity="2")}, "items[0].quantity", "VALIDATION_ERROR"),
        ({"items": item(quantity=10**30)}, "items[0].quantity", "VALIDATION_ERROR"),
        ({"items": item(price=...)}, "items[0].price", "MISSING_CONTEXT_FIELD"),
        ({"items": item(price=-1)}, "items[0].price", "VALIDATION_ERROR"),
        ({"items": item(price="free")}, "items[0].price", "VALIDATION_ERROR"),
        ({"items": item(price="NaN")}, "items[0].price", "VALIDATION_ERROR"),
        ({"items": item(price="Infinity")}, "items[0].price", "VALIDATION_ERROR"),
        ({"items": item(price="1e999999")}, "items[0].price", "VALIDATION_ERROR"),
        ({"items": item(price=[5])}, "items[0].price", "VALIDATION_ERROR"),
        ({"items": item(price=0)}, "order_total", "VALIDATION_ERROR"),
        ({"items": item(price="0.004")}, "order_total", "VALIDATION_ERROR"),
        ({"items": item(price="50000.01")}, "order_total", "VALIDATION_ERROR"),
        ({"payment": ...}, "payment", "MISSING_CONTEXT_FIELD"),
        ({"payment": {"method": "card"}}, "payment.token", "MISSING_CONTEXT_FIELD"),
        ({"shipping": ...}, "shipping", "MISSING_CONTEXT_FIELD"),
        ({"shipping": {"method": "express"}}, "shipping.address", "MISSING_CONTEXT_FIELD"),
        (
            {"shipping": {"method": "teleport", "address": "x"}},
            "shipping.method",
            "VALIDATION_ERROR",
        ),
        ({"shipping": {"method": [], "address": "x"}}, "shipping.method", "VALIDATION_ERROR"),
    ],
)
def test_a_wrong_order_fails_for_good_before_anything_is_reserved(fulfilled, changes, field, code):
    results, outcome = fulfilled(order(**changes))
    assert results == {}
    assert (outcome.error.error_type, outcome.error.retryable) == ("validation_error", False)
    assert (outcome.error.error_code, metadata_of(outcome)["field"]) == (code, field)
    assert outcome.error.message.startswith(field)
    assert "value" in metadata_of(outcome)


def test_an_order_of_the_largest_total_is_taken(fulfilled):
    results, outcome = fulfilled(order(items=item(price=50_000)))
    assert outcome.error is None
    assert results["validate_order"]["order_total"] == "50000.00"


def test_short_stock_is_retryable(fulfilled):
    results, outcome = fulfilled(order(items=ITEMS + item(sku="OUT_OF_STOCK_7", quantity=4)))
    assert list(results) == ["validate_order"]
    assert (outcome.error.error_code, outcome.error.retryable) == ("INSUFFICIENT_STOCK", True)
    assert metadata_of(outcome)["sku"] == "OUT_OF_STOCK_7"


def test_a_declined_card_is_permanent(fulfilled):
    results, outcome = fulfilled(order(payment={"token": "tok_declined_x"}))
    assert list(results) == ["validate_order", "reserve_inventory"]
    assert (outcome.error.error_code, outcome.error.retryable) == ("CARD_DECLINED", False)
    assert "tok_declined_x" not in str(outcome.error)


def test_a_gateway_time_out_is_retryable(fulfilled):
    results, outcome = fulfilled(order(payment={"token": "tok_timeout"}))
    assert list(results) == ["validate_order", "reserve_inventory"]
    assert (outcome.error.error_code, outcome.error.retryable) == ("GATEWAY_TIMEOUT", True)
    assert outcome.error.error_type == "timeout"
