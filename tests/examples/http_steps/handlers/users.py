"""Users of a service that is not always there."""

import os

from tasker_mp.step_handler import api_handler, inputs


@api_handler("fetch_user", base_url=os.environ.get("USERS_URL", "http://127.0.0.1:9"), timeout=2.0)
@inputs("user")
def fetch_user(user, api):
    response = api.get(f"/users/{user}")
    if response.ok:
        return api.api_success(response, {"name": response.body["name"]}, include_response=False)
    return api.api_failure(response)
