"""What schemathesis must know of Rialto to get past the first check: whose tokens to send, and which ids there are.

A request that the document calls valid keeps what was generated, except for names of things: those are taken from what exists.
Everything else is sent as it was made up. What came back is counted, and written down at the end.
"""

import atexit
import json
import os
import random
import threading
import time
import unicodedata
import urllib.error
import urllib.request
import uuid

import schemathesis
from schemathesis import GenerationMode

with open(os.environ["RIALTO_FUZZ_STATE"], encoding="utf-8") as file:
    STATE = json.load(file)
FIGURES = os.environ["RIALTO_FUZZ_FIGURES"]
TOKEN_SECONDS_MAX = 300

lock = threading.Lock()
counts = {"requests": 0, "valid": 0, "validAnswered2xx": 0, "serverErrors": 0}
by_operation = {}
tokens = {}


@atexit.register
def write_figures():
    with open(FIGURES, "w", encoding="utf-8") as out:
        json.dump({**counts, "operations": by_operation}, out)


def address():
    """A client of its own for each request: failures of one must not slow down another."""
    return "10." + ".".join(str(random.randint(0, 255)) for _ in range(3))


def login(who):
    request = urllib.request.Request(
        STATE["url"] + "/api/auth/login",
        data=json.dumps(STATE["people"][who]).encode(),
        headers={"content-type": "application/json", "X-Forwarded-For": address()},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["accessToken"]


def token(who):
    """Signs in where it must, again after a while: access tokens do not live long."""
    with lock:
        known = tokens.get(who)
        if known is None or time.monotonic() - known[1] > TOKEN_SECONDS_MAX:
            tokens[who] = known = (login(who), time.monotonic())
        return known[0]


def pick(kind):
    return random.choice(STATE["ids"][kind])


def roles(case):
    return [role for need in case.operation.definition.raw.get("security", []) for role in need.get("accessToken", [])]


def name_of(case):
    return case.operation.definition.raw["operationId"]


# Calls that end what others need are made by, and of, somebody who is not needed.
SPARE = {"AuthService.LogoutAll", "AuthService.Logout", "AuthService.ChangePassword"}
CHANGES_USER = {"UserService.DisableUser", "UserService.EnableUser", "UserService.UpdateUser"}
# What belongs to a customer is asked for by that customer.
BY_CUSTOMER = {"OrderService.CreateOrder", "OrderService.CancelOrder"}


def caller(case):
    needed = roles(case)
    if name_of(case) in SPARE:
        return random.choice(STATE["spares"])
    if name_of(case) in BY_CUSTOMER or "ADMIN" not in needed:
        return "customer" if needed else None
    return "admin"


def path_value(operation, name):
    if name in ("subscription",) or operation.startswith("SubscriptionService."):
        return pick("subscriptions")
    if name == "product_id" or operation.startswith("ProductService."):
        return pick("products")
    if name == "order_id" or operation.startswith("OrderService."):
        return pick("orders")
    if operation in CHANGES_USER:
        return pick("spareUsers")
    if operation.startswith("UserService."):
        return pick("users")
    if operation.startswith("PaymentService."):
        return pick("payments")
    if operation.startswith("NotificationService."):
        return pick("notifications")
    return None


def make_real(case):
    operation = name_of(case)
    for name in case.path_parameters or {}:
        value = path_value(operation, name)
        if value is not None:
            case.path_parameters[name] = value
    query = case.query if isinstance(case.query, dict) else {}
    for name in list(query):
        if name in ("pageToken", "updateMask"):
            del query[name]
        elif name == "orderId":
            query[name] = pick("orders")
        elif name == "userId":
            query[name] = pick("users")
        elif name == "ids":
            query[name] = random.sample(STATE["ids"]["products"], 2)
        elif name == "subscription":
            query[name] = pick("subscriptions")
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    body = case.body
    if not isinstance(body, dict):
        return
    if operation == "OrderService.CreateOrder":
        products = random.sample(STATE["ids"]["products"], min(len(body["items"]), 3))
        body["items"] = [{**item, "productId": product} for item, product in zip(body["items"], products)]
        # What the order costs is no part of the document.
        body.pop("expectedTotal", None)
    if operation == "AuthService.Login" and random.random() < 0.7:
        body.update(STATE["people"]["customer"])
    if operation == "PaymentService.RefundPayment" and "amount" in body:
        # A rule that the document says in words only: an amount needs a key.
        case.headers = {**(case.headers or {}), "Idempotency-Key": str(uuid.uuid4())}
    if operation == "InventoryService.AdjustStock":
        body["delta"] = random.randint(1, 50)
    if operation == "UserService.CreateUser":
        body["email"] = f"{uuid.uuid4()}@fuzz.test"
    if operation == "UserService.UpdateUser":
        body.pop("email", None)
        body.pop("role", None)
    # Rules that the document says in words only: an amount is more than 0, and in the currency of what it is for.
    for amount in (body.get("price"), body.get("amount")):
        if isinstance(amount, dict):
            amount.update({"currencyCode": "EUR", "minorUnits": str(1 + abs(int(amount.get("minorUnits", "0"))) % 100000)})
    one_line(body)


def one_line(value):
    """Text that people read has no control or format characters, a rule that the document says in words only."""
    for name, part in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(part, str):
            value[name] = "".join(sign for sign in part if unicodedata.category(sign)[0] not in "CZ" or sign == " ").strip() or "text"
        elif isinstance(part, (dict, list)):
            one_line(part)


def is_valid(case):
    return case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE


@schemathesis.hook
def before_call(context, case, kwargs):
    if is_valid(case) and random.random() < 0.9:
        make_real(case)
    if name_of(case) in CHANGES_USER and (case.path_parameters or {}).get("id") in STATE["needed"]:
        case.path_parameters["id"] = pick("spareUsers")
    headers = case.headers if case.headers is not None else {}
    headers["X-Forwarded-For"] = address()
    case.headers = headers
    who = caller(case)
    # A tenth goes without a token, or with somebody else's.
    luck = random.random()
    if who is None or (luck < 0.05 and not is_valid(case)):
        return
    if luck > 0.95 and not is_valid(case):
        who = "customer"
    try:
        headers["Authorization"] = f"Bearer {token(who)}"
    except urllib.error.HTTPError:
        pass  # Nobody is signed in: the refusal is an answer that is checked too.
    case.headers = headers


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code == 401 or name_of(case) in SPARE:
        # Signed out, or the token was of somebody who is: whoever comes next signs in again.
        with lock:
            for who in STATE["spares"]:
                tokens.pop(who, None)
            if response.status_code == 401 and "customer" in (caller(case), *roles(case)):
                tokens.pop("customer", None)
    with lock:
        counts["requests"] += 1
        valid = is_valid(case)
        entry = by_operation.setdefault(name_of(case), {"requests": 0, "valid": 0, "ok": 0, "statuses": {}})
        entry["requests"] += 1
        status = str(response.status_code)
        if valid:
            entry["statuses"][status] = entry["statuses"].get(status, 0) + 1
            counts["valid"] += 1
            entry["valid"] += 1
        if valid and 200 <= response.status_code < 300:
            counts["validAnswered2xx"] += 1
            entry["ok"] += 1
        if response.status_code >= 500:
            counts["serverErrors"] += 1
