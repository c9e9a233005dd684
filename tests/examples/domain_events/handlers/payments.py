"""Charges cards."""

import os
import signal
import time

from tasker_mp.errors import BusinessLogicError, NetworkError
from tasker_mp.step_handler import StepHandler
from tasker_mp.types import StepContext, StepHandlerResult


class Charge(StepHandler):
    def call(self, context: StepContext) -> StepHandlerResult:
        card = context.get_input("card")
        if card == "declined":
            raise BusinessLogicError("the card is declined", error_code="CARD_DECLINED")
        if card == "offline" or (card == "flaky" and not context.is_retry()):
            raise NetworkError("the bank does not answer")
        if card == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        if card == "hanging":
            time.sleep(60)
        return self.success({"cents": context.get_input("cents"), "card": card})
