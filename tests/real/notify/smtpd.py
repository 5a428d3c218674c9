"""A mail server for tests: says its port, then each mail that it took as a line of JSON. Ends with its standard input.

smtpd.py TLS CERT KEY LOGIN LATER   TLS is none, starttls or tls; LOGIN is user:password or -; the first LATER
mails are put off with 451, and a recipient called nobody is refused.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Handler:
    def __init__(self, later):
        self.later = later

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.later > 0:
            self.later -= 1
            say(later=envelope.content.decode("ascii"))
            return "451 try again later"
        say(
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            mail=envelope.content.decode("ascii"),
            tls=session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None,
            user=session.auth_data.login.decode() if session.authenticated else None,
        )
        return "250 taken"


def say(**what):
    print(json.dumps(what), flush=True)


async def main(tls, cert, key, login, later):
    context = None
    if tls != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(cert, key)
    user, _, password = login.partition(":")

    def authenticate(server, session, envelope, mechanism, data):
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=good, handled=good, auth_data=data)

    def server():
        return SMTP(
            shared,
            hostname="mail.test",
            tls_context=context if tls == "starttls" else None,
            require_starttls=tls == "starttls",
            authenticator=authenticate if password else None,
            auth_required=bool(password),
            auth_require_tls=tls == "starttls",
        )

    shared = Handler(later)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(server, "127.0.0.1", 0, ssl=context if tls == "tls" else None)
    say(port=listening.sockets[0].getsockname()[1])
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5], int(sys.argv[5])))
