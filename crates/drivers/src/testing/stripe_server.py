"""Stripe for tests: localstripe in a process of its own, with what it lacks and with faults on demand.

    stripe_server.py FOLDER PORT

Payments, refunds, errors, events and their signatures are localstripe's. What it cannot do, and is added here:
  - it ignores Idempotency-Key: answers are kept by key, in its store, so they outlive a restart;
  - confirming takes no payment method (500 Not implemented), refuses `use_stripe_sdk`, and a declined intent can never
    be tried again;
  - of Stripe's test names it knows `pm_card_visa`, not those that decline or need a second step;
  - a declined card is told as an invalid request, a refund may be larger than the charge;
  - it tells neither of intents that are cancelled nor of charges that are refunded;
  - a refund never fails, and nothing is ever disputed: POST /_config/refund/{id}/fails and /_config/dispute/{intent}/{status};
  - it keeps its store in one file of /tmp, and a kill in the middle of writing it leaves half of it.
Webhooks go to a list that a test reads at /_config/told, to deliver them when and as often as it likes.

POST /_config/fault {method, path, what, times}: what happens to the next `times` requests whose path matches, before or after
localstripe has done what was asked: cut, fail (500), silent, die (the process kills itself); or slow, or held until
DELETE /_config/faults, which is all.
"""

import asyncio
import json
import os
import re
import signal
import socket
import sys

import localstripe.resources as resources
import localstripe.webhooks as webhooks
from aiohttp import web
from localstripe.errors import UserError
from localstripe.resources import Charge, Event, PaymentIntent, PaymentMethod, Refund, StripeObject
from localstripe.server import app, get_post_data, json_response

FOLDER, PORT = sys.argv[1], int(sys.argv[2])
STORE = os.path.join(FOLDER, "store.pickle")
# How long a slow answer takes: less than the driver's patience.
SLOW = 0.3
# How often one that is held looks whether it is not any more.
HELD = 0.005
faults = []
heard = []
requests = []


class Whole:
    """A file that is there whole or not at all."""

    def __init__(self):
        self.file = open(STORE + ".new", "wb")

    def __enter__(self):
        return self.file

    def __exit__(self, *raised):
        self.file.close()
        os.replace(STORE + ".new", STORE)


resources.open = lambda path, mode: Whole() if mode == "wb" else open(STORE, mode)


def method_of(name):
    """The id of a payment method by Stripe's test name."""
    number = {
        "pm_card_chargeDeclined": "4000000000000341",
        "pm_card_authenticationRequired": "4000002500003155",
    }.get(name)
    if number is None:
        return PaymentMethod._api_retrieve(name).id
    card = dict(number=number, exp_month="12", exp_year="2030", cvc="123")
    return PaymentMethod(type="card", card=card).id


def refused(code, message):
    raise UserError(400, message, {"code": code})


def confirm(id, payment_method=None, use_stripe_sdk=None):
    intent = PaymentIntent._api_retrieve(id)
    if intent.status in ("succeeded", "canceled", "processing"):
        refused("payment_intent_unexpected_state", "You cannot confirm this PaymentIntent: it is " + intent.status)
    if payment_method is None:
        refused("payment_intent_unexpected_state", "You cannot confirm this PaymentIntent: it has no payment method")
    intent.payment_method = method_of(payment_method)
    intent.latest_charge = None
    intent.next_action = None
    try:
        intent._confirm(on_failure_now=intent._report_failure)
    except UserError as error:
        error.body["error"]["type"] = "card_error"
        raise
    return intent


def cancel(id):
    intent = PaymentIntent._api_cancel(id)
    webhooks.schedule_webhook(Event("payment_intent.canceled", intent))
    return intent


def refund(payment_intent=None, amount=None, metadata=None):
    intent = PaymentIntent._api_retrieve(payment_intent)
    charge = intent.latest_charge
    if charge is None or charge.status != "succeeded":
        refused("charge_not_captured", "This PaymentIntent has no successful charge to refund.")
    charge = Charge._api_retrieve(charge.id)
    left = charge.amount - charge.amount_refunded
    if int(amount or left) > left or left == 0:
        refused("charge_already_refunded", "Refund amount is greater than unrefunded amount on charge.")
    made = Refund(payment_intent=payment_intent, amount=int(amount or left), metadata=metadata)
    webhooks.schedule_webhook(Event("charge.refunded", charge))
    return made


class Dispute(StripeObject):
    object = "dispute"
    _id_prefix = "dp_"

    def __init__(self, intent, status):
        super().__init__()
        self.charge, self.payment_intent = intent.latest_charge.id, intent.id
        self.amount, self.currency = intent.amount, intent.currency
        self.reason, self.status = "fraudulent", status
        self.evidence_details = {"due_by": self.created + 7 * 86400, "has_evidence": False}


# What a bank sent back is not with the buyer.
Charge.amount_refunded = property(
    lambda self: sum(refund.amount for refund in self.refunds._list if refund.status != "failed")
)


@web.middleware
async def lacking(request, handler):
    """In place of what localstripe cannot do."""
    found = re.match(r"^/v1/payment_intents/(\w+)/(confirm|cancel)$", request.path)
    if request.method != "POST" or not (found or request.path == "/v1/refunds"):
        return await handler(request)
    data = await get_post_data(request) or {}
    if not found:
        done = refund(**data)
    elif found.group(2) == "confirm":
        done = confirm(found.group(1), **data)
    else:
        done = cancel(found.group(1))
    resources.store.dump_to_disk()
    return json_response(done._export())


async def once(request, handler):
    """The first answer of an idempotency key, again."""
    key = request.headers.get("Idempotency-Key")
    if key is None or request.method != "POST":
        return await handler(request)
    asked = request.path + " " + (await request.read()).decode()
    kept = resources.store.get("idempotency:" + key)
    if kept is not None:
        if kept["asked"] != asked:
            error = {"type": "idempotency_error", "message": "Keys can only be used with the same parameters."}
            return json_response({"error": error}, status=400)
        return web.Response(status=kept["status"], body=kept["body"], content_type="application/json")
    answer = await handler(request)
    resources.store["idempotency:" + key] = dict(asked=asked, status=answer.status, body=bytes(answer.body))
    return answer


def fault_of(request):
    for fault in faults:
        if fault["times"] > 0 and fault["method"] == request.method and re.search(fault["path"], request.path):
            fault["times"] -= 1
            return fault["what"]
    return ""


async def suffer(request, what):
    if what == "cut":
        request.transport.abort()
    elif what == "silent":
        await asyncio.sleep(3600)
    elif what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return web.Response(status=500, text="{}")


@web.middleware
async def outermost(request, handler):
    if request.path.startswith("/_"):
        return await handler(request)
    requests.append(request.method + " " + request.path)
    what, _, when = fault_of(request).partition("_")
    if what == "slow":
        await asyncio.sleep(SLOW)
    while what == "held" and faults:
        await asyncio.sleep(HELD)
    if when == "before":
        return await suffer(request, what)
    answer = await once(request, handler)
    if when == "after":
        return await suffer(request, what)
    return answer


async def take_fault(request):
    faults.append(await request.json())
    return web.Response()


async def clear(_):
    faults.clear()
    return web.Response()


async def hear(request):
    heard.append(dict(signature=request.headers["Stripe-Signature"], body=(await request.read()).decode()))
    return web.Response()


async def tell(_):
    stored = [value for key, value in resources.store.items() if key.startswith(("payment_intent:", "refund:"))]
    return web.json_response(
        dict(heard=heard, requests=requests, objects=[json.loads(json.dumps(one._export())) for one in stored])
    )


async def authenticate(request):
    """The buyer takes the second step."""
    intent = PaymentIntent._api_retrieve(request.match_info["id"])
    success = request.match_info["how"] == "well"
    done = PaymentIntent._api_authenticate(intent.id, client_secret=intent.client_secret, success=success)
    resources.store.dump_to_disk()
    return json_response(done._export())


async def fail_refund(request):
    """The buyer's bank does not take a refund that was done."""
    refund = Refund._api_retrieve(request.match_info["id"])
    refund.status, refund.failure_reason = "failed", "lost_or_stolen_card"
    resources.store.dump_to_disk()
    for kind in ("charge.refund.updated", "refund.failed"):
        webhooks.schedule_webhook(Event(kind, refund))
    return json_response(refund._export())


async def dispute(request):
    """The buyer has their bank claim a payment back."""
    disputed = Dispute(PaymentIntent._api_retrieve(request.match_info["id"]), request.match_info["status"])
    kind = "created" if disputed.status == "needs_response" else "closed"
    webhooks.schedule_webhook(Event("charge.dispute." + kind, disputed))
    return json_response(disputed._export())


app.middlewares.insert(0, outermost)
app.middlewares.insert(3, lacking)
app.router.add_post("/_config/fault", take_fault)
app.router.add_delete("/_config/faults", clear)
app.router.add_post("/_config/hear", hear)
app.router.add_get("/_config/told", tell)
app.router.add_post("/_config/authenticate/{id}/{how}", authenticate)
app.router.add_post("/_config/refund/{id}/fails", fail_refund)
app.router.add_post("/_config/dispute/{id}/{status}", dispute)

resources.store.try_load_from_disk()
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", PORT))
listener.listen(128)
port = listener.getsockname()[1]
webhooks.register_webhook("test", "http://127.0.0.1:%d/_config/hear" % port, "whsec_test", None)
print(json.dumps({"port": port}), flush=True)
web.run_app(app, sock=listener, print=None)
