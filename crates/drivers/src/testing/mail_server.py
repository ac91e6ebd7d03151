"""A mail server for tests, on aiosmtpd: takes mails and says on its standard output, a JSON object a line, what it hears.

It stalls and refuses as it is told, so that a test can see what a client does then.
"""

import argparse
import asyncio
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def say(**what):
    print(json.dumps(what), flush=True)


class Handler:
    def __init__(self, options):
        self.options = options
        self.left = dict(options.stall)
        self.refused = dict(options.refuse)

    async def reached(self, step):
        """Says that a step was reached, and never comes back if it is to be stalled."""
        say(step=step)
        if self.left.get(step, 0) > 0:
            self.left[step] -= 1
            await asyncio.Event().wait()

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        await self.reached("EHLO")
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        await self.reached("MAIL")
        envelope.mail_from = address
        return self.refused.get("MAIL", "250 OK")

    async def handle_RCPT(self, server, session, envelope, address, options):
        await self.reached("RCPT")
        if "RCPT" in self.refused:
            return self.refused["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if "DATA" in self.refused:
            return self.refused["DATA"]
        say(
            mail={
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "message": envelope.content.decode(),
                "encrypted": server.transport.get_extra_info("ssl_object") is not None,
                "user": session.auth_data,
            }
        )
        await self.reached("DATA")
        return "250 OK"


def authenticator(options):
    def check(server, session, envelope, mechanism, data):
        say(step="AUTH")
        user, password = data.login.decode(), data.password.decode()
        if f"{user}:{password}" == options.auth:
            return AuthResult(success=True, auth_data=user)
        return AuthResult(success=False, handled=False)

    return check


def pair(text):
    step, _, rest = text.partition("=")
    return step, rest


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--auth", help="user:password, asked of everybody")
    parser.add_argument("--certificate", help="PEM file of the certificate, with --key")
    parser.add_argument("--key")
    parser.add_argument("--wrapped", action="store_true", help="TLS from the first byte instead of STARTTLS")
    parser.add_argument("--stall", action="append", type=pair, default=[], help="STEP=N: no answer to the first N")
    parser.add_argument("--refuse", action="append", type=pair, default=[], help="STEP=ANSWER")
    options = parser.parse_args()
    options.stall = [(step, int(count)) for step, count in options.stall]
    handler = Handler(options)
    context = None
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate, options.key)
    starttls = None if options.wrapped else context

    def connection():
        extra = {}
        if options.auth:
            extra = {
                "authenticator": authenticator(options),
                "auth_required": True,
                "auth_require_tls": context is not None and not options.wrapped,
            }
        return SMTP(handler, hostname="mail.test", tls_context=starttls, loop=asyncio.get_running_loop(), **extra)

    server = await asyncio.get_running_loop().create_server(
        connection, "127.0.0.1", options.port, ssl=context if options.wrapped else None
    )
    say(port=server.sockets[0].getsockname()[1])
    # Whoever started it holds the other end: when that goes, so does this.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    # What is stalled would keep it.
    os._exit(0)


asyncio.run(main())
