"""A Lambda function that speaks to an imaginary identity provider, Acme, for type lambda: an example to start from.

It needs no package but Python's own. The handler is function.handler; run as a program it answers one request from its
standard input, for rotator conformance --exec.

It logs no request, no answer and no error text of the provider: each may hold a secret. Do not use a decorator that
logs events.
"""

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timezone

# What clients.yaml says, too.
CAPABILITIES = {"model": "named-set", "maxSecrets": 2, "takesValue": True, "keepsToken": True, "canDisable": True}

# What Acme's statuses mean. Any other may mean that something has happened.
KINDS = {400: "refused", 401: "refused", 403: "refused", 404: "notFound", 409: "conflict", 422: "refused",
         423: "throttled", 429: "throttled"}


class Failed(Exception):
    """An answer that is an error. It has no text: that could hold a secret."""

    def __init__(self, kind, code, wait=None):
        super().__init__()
        self.error = {"kind": kind, "code": code}
        if wait:
            self.error["retryAfterSeconds"] = wait


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirect)


def ask(method, request, secret_id="", body=None):
    """Sends one request to Acme. It is never repeated here."""
    address = "/".join([os.environ["ACME_URL"], "clients", urllib.parse.quote(request["client"]["id"], safe=""), "secrets"])
    if secret_id:
        address += "/" + urllib.parse.quote(secret_id, safe="")
    # The credential should come from Secrets Manager in a real function.
    sent = urllib.request.Request(address, method=method, headers={
        "Authorization": "Bearer " + os.environ["ACME_TOKEN"], "Content-Type": "application/json"})
    if body is not None:
        sent.data = json.dumps(body).encode()
    try:
        with OPENER.open(sent, timeout=8) as answer:
            if answer.status == 204:
                return {}
            status, headers, text = answer.status, answer.headers, answer.read(1 << 20)
    except urllib.error.HTTPError as answer:
        status, headers, text = answer.code, answer.headers, answer.read(1 << 20)
    except OSError:
        raise Failed("unavailable", "connection") from None
    if headers.get_content_type() != "application/json":
        raise Failed("unavailable", "page")  # of a proxy or a firewall: it says nothing of Acme
    try:
        answer = json.loads(text)
    except ValueError:
        raise Failed("unavailable", "shape") from None
    if status >= 300:
        wait = headers.get("Retry-After", "")
        raise Failed(KINDS.get(status, "unavailable"), str(answer.get("code", "")), int(wait) if wait.isdigit() else None)
    return answer


def secrets(request):
    found = ask("GET", request).get("secrets")
    if not isinstance(found, list):  # no list is not an empty one: the rotation would believe that all are gone
        raise Failed("unavailable", "shape")
    return found


def listed(request):
    return {"secrets": [{"id": s["id"], "status": "active" if s["enabled"] else "disabled", "created": s["created"],
                         "token": s["name"]} for s in secrets(request)]}


def create(request):
    """Makes one secret for a token, and no second one: Lambda may deliver an invocation twice."""
    for s in secrets(request):
        if s["name"] == request["token"]:
            return {"secret": {"id": s["id"]}}
    made = ask("POST", request, body={"name": request["token"], "value": request["value"]})
    if not made.get("id"):
        raise Failed("unavailable", "shape")
    return {"secret": {"id": made["id"]}}


def switch(enabled):
    def change(request):
        ask("PATCH", request, request["secretId"], {"enabled": enabled})
        return {}
    return change


def remove(request):
    try:
        ask("DELETE", request, request["secretId"])
    except Failed as failed:
        if failed.error["kind"] != "notFound":
            raise
        secrets(request)  # fails if it is the client that is not there
    return {}


READS = {"capabilities": lambda _: {"capabilities": CAPABILITIES}, "list": listed}
CHANGES = {"create": create, "disable": switch(False), "enable": switch(True), "remove": remove}


def carry_out(request):
    if not isinstance(request, dict) or request.get("contract") != 1:
        raise Failed("refused", "contract")
    operation = request.get("operation")
    if operation in READS:
        return READS[operation](request)
    if operation not in CHANGES:
        raise Failed("refused", "operation")
    # who comes after the deadline would change something that nobody expects any more
    if datetime.now(timezone.utc) >= datetime.fromisoformat(request["deadline"].replace("Z", "+00:00")):
        raise Failed("unavailable", "deadline")
    return CHANGES[operation](request)


def handler(event, _context=None):
    """Always answers: what a function raises tells nobody whether something has happened."""
    try:
        answer = carry_out(event)
    except Failed as failed:
        answer = {"error": failed.error}
    except Exception:  # noqa: BLE001, its text may hold a secret
        answer = {"error": {"kind": "unavailable", "code": "bug"}}
    return {"contract": 1, **answer}


if __name__ == "__main__":
    json.dump(handler(json.load(sys.stdin)), sys.stdout)
