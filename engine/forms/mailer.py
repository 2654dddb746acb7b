"""Sending the mails of forms through the operator's SMTP server."""

from __future__ import annotations

import contextlib
import logging
import smtplib
import ssl
import threading
from collections import deque
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from engine.forms.links import FormLinks
from engine.forms.mail_config import URL, MailConfig
from store import mails
from store.clock import current
from store.mails import Mail

logger = logging.getLogger(__name__)

LOCAL = ("localhost", "127.0.0.1", "::1")  # where a password may go without encryption
SECONDS = 20  # that the mail server may take for one step


class Mailer:
    """A thread that looks for mails to send every ``seconds``."""

    def __init__(self, config: MailConfig, links: FormLinks, seconds: float) -> None:
        self._config, self._links, self._seconds = config, links, seconds
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="mailer", daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; what is not sent stays in the outbox."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _loop(self) -> None:
        while not self._closed.wait(self._seconds):
            try:
                while not self._closed.is_set() and (due := mails.claim()):
                    self._send(due)
            except Exception:
                logger.exception("Mails could not be looked for; it is tried again")

    def _send(self, due: list[Mail]) -> None:
        """Send mails over one connection, or over a new one after a mail that broke it: none stops the others."""
        left = deque(due)
        while left:
            try:
                server = self._connected()
            except (OSError, smtplib.SMTPException) as error:
                # Who it was for is nobody's business in a log.
                logger.warning("The mail server cannot be used; %d mails wait: %s", len(left), type(error).__name__)
                return
            while left and server.sock:
                self._one(server, left.popleft())
            with contextlib.suppress(OSError, smtplib.SMTPException):
                server.quit()

    def _one(self, server: smtplib.SMTP, mail: Mail) -> None:
        try:
            server.send_message(self._message(mail))
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPResponseException) as error:
            codes = [one[0] for one in getattr(error, "recipients", {}).values()] or [getattr(error, "smtp_code", 0)]
            logger.warning("A mail of form %s was refused: %s", mail.form_id, codes)
            # A sender that is refused is for the operator to mend.
            if min(codes) >= 500 and not isinstance(error, smtplib.SMTPSenderRefused):
                mails.settle(mail.token_hash, "failed")
        except (ValueError, smtplib.SMTPNotSupportedError):
            # No such address, or no such header, can be written, or not to this server.
            logger.warning("A mail of form %s cannot be written", mail.form_id)
            mails.settle(mail.token_hash, "failed")
        except (OSError, smtplib.SMTPException) as error:
            logger.warning("The connection broke with a mail of form %s: %s", mail.form_id, type(error).__name__)
            server.close()
        else:
            mails.settle(mail.token_hash, "sent")

    def _connected(self) -> smtplib.SMTP:
        config, context = self._config, ssl.create_default_context()
        if config.is_tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(config.host, config.port, timeout=SECONDS, context=context)
        else:
            server = smtplib.SMTP(config.host, config.port, timeout=SECONDS)
        try:
            server.ehlo()
            if not config.is_tls and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
            if config.user:
                if not isinstance(server.sock, ssl.SSLSocket) and config.host not in LOCAL:
                    raise smtplib.SMTPNotSupportedError("no encryption, so no password")
                server.login(config.user, config.password)
        except BaseException:
            server.close()
            raise
        return server

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._config.sender, mail.address, mail.subject
        message["Date"] = formatdate(current().now().timestamp())
        # The same each time it is tried: a reader that gets it twice can tell.
        domain = self._config.sender.rpartition("@")[2].strip("<> ")
        message["Message-ID"] = f"<{mail.token_hash[:32]}@{domain}>" if domain else make_msgid()
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.body.replace(URL, self._links.url(mail.form_id, mail.address)))
        return message
