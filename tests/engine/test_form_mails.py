"""Forms that go out by e-mail, through a real SMTP server on this machine."""

from __future__ import annotations

import json
import re
import sqlite3
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.measure import free_port
from engine import runs
from engine.definition.reading import load
from engine.forms import answering, mail_config
from store import accounts, forms, workspaces
from store.refusal import Refusal
from tests.engine.conftest import Bench
from tests.engine.forms import WEBAPP, answer, names, review
from tests.engine.test_human_input import Later, later
from web.pages import create_pages

__all__ = ["later"]
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

BASE = "https://forms.example"


class Post:
    """What the SMTP server was given; ``refuse`` is its word for recipients by address."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, EmailMessage]] = []
        self.refuse: dict[str, str] = {}
        self.tried: list[str] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        self.tried.append(address)
        if told := self.refuse.get(address):
            if told == "hang up":
                server.transport.close()
            return told
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append((envelope.rcpt_tos[0], message))
        return "250 OK"

    def to(self) -> list[str]:
        return sorted(address for address, _ in self.mails)

    def link(self, address: str) -> str:
        text = next(message for to, message in self.mails if to == address).get_content()
        found = re.search(rf"{BASE}/form/([\w-]{{43}})", text)
        assert found is not None, text
        return found[1]


def allowed(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"forms@x", b"p@ss/word")
    return AuthResult(success=good, handled=True)


@pytest.fixture
def post(configure: Callable[..., None]) -> Iterator[Post]:
    """An SMTP server that wants a name and a password, and an engine that hands its mails in there."""
    with served() as (handler, port):
        configure(mail=mail_config.read(f"smtp://{LOGIN}@127.0.0.1:{port}", SENDER), **SETTINGS)
        yield handler
        runs.shutdown()


LOGIN, SENDER = "forms%40x:p%40ss%2Fword", "Forms <forms@dify.example>"
SETTINGS = {"sweep_seconds": 0.05, "public_url": BASE, "secret_key": "s"}


@contextmanager
def served(**options: Any) -> Iterator[tuple[Post, int]]:
    """An SMTP server, and its port."""
    handler, port = Post(), free_port()
    required = {"authenticator": allowed, "auth_require_tls": False, "auth_required": True}
    controller = Controller(handler, hostname="127.0.0.1", port=port, **{**required, **options})
    controller.start()
    try:
        yield handler, port
    finally:
        controller.stop()


def mail(*items: dict[str, Any], everybody: bool = False, **config: Any) -> dict[str, Any]:
    """A delivery by e-mail."""
    recipients = {"include_bound_group": everybody, "items": list(items)}
    text = {"subject": "Please look", "body": "Dear reader,\n{{#url#}}\nThanks.", **config}
    return {"id": "m", "type": "email", "enabled": True, "config": {"recipients": recipients, **text}}


def outside(address: str) -> dict[str, Any]:
    return {"type": "external", "email": address}


def test_each_recipient_is_sent_a_link_of_their_own_and_the_first_answer_counts(
    bench: Bench, post: Post, soon: Any
) -> None:
    run = bench.start(bench.app(review(delivery_methods=[mail(outside("a@out.example"), outside("b@out.example"))])))
    asked = bench.events(run)[-2]["data"]
    assert (asked["form_token"], asked["display_in_ui"]) == (None, False)
    soon(lambda: post.to() == ["a@out.example", "b@out.example"])
    _, message = post.mails[0]
    assert message["From"] == "Forms <forms@dify.example>"
    assert message["Subject"] == "Please look"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().startswith("Dear reader,\r\nhttps://forms.example/form/")
    first, second = post.link("a@out.example"), post.link("b@out.example")
    assert first != second
    page = create_pages(BASE, "s", lambda e: "127.0.0.1").test_client()
    headers = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}
    sent = page.post(
        f"/form/{first}", data={"action": "approve", "field.comment": "by mail"}, headers=headers, base_url=BASE
    )
    assert sent.status_code == 200
    assert page.get(f"/form/{second}", base_url=BASE).status_code == 412
    assert bench.events(run)[-1]["data"]["outputs"]["comment"] == "by mail"
    assert [form.answered_by for form in forms.of_run(run.id)] == ["email:a@out.example"]


def test_a_mailed_link_opens_nothing_over_the_api(bench: Bench, post: Post, soon: Any) -> None:
    app = bench.app(review(delivery_methods=[WEBAPP, mail(outside("a@out.example"))]))
    run = bench.start(app)
    token = str(bench.events(run)[-2]["data"]["form_token"])
    soon(lambda: post.mails)
    assert post.link("a@out.example") != token
    with pytest.raises(Refusal) as caught:
        answering.open_form(post.link("a@out.example"), app.id)
    assert caught.value.code == "not_found"
    assert answering.open_form(token, app.id).id == answering.open_form(post.link("a@out.example")).id


def test_members_are_sent_it_by_account_or_all_and_nobody_else_twice_or_at_a_wrong_address(
    bench: Bench, post: Post, soon: Any
) -> None:
    bob = accounts.create("bob@in.example", "Bob")
    gone = accounts.create("gone@in.example", "Gone", status="banned")
    stranger = accounts.create("stranger@in.example", "Stranger")
    for one in (bob, gone):
        workspaces.add_member(bench.workspace_id, one.id, "normal")
    wrong = ["", "no address", "a@b\r\nBcc: x@y.example", "a@b, c@d", "<a@b>", "x" * 300 + "@y.example"]
    delivery = mail(
        {"type": "member", "reference_id": bob.id}, {"type": "member", "user_id": bench.caller.account_id},
        {"type": "member", "reference_id": stranger.id}, {"type": "member", "reference_id": gone.id},
        outside("BOB@in.example"), *(outside(one) for one in wrong), outside("last@out.example"),
    )  # fmt: skip
    bench.events(bench.start(bench.app(review(delivery_methods=[delivery]))))
    soon(lambda: len(post.mails) == 3)
    assert post.to() == ["ada@mail.example", "bob@in.example", "last@out.example"]
    post.mails.clear()
    bench.events(bench.start(bench.app(review(delivery_methods=[mail(everybody=True)]))))
    soon(lambda: len(post.mails) == 2)
    assert post.to() == ["ada@mail.example", "bob@in.example"]


def test_variables_are_filled_in_without_secrets_and_a_subject_is_one_line(
    bench: Bench, post: Post, soon: Any, tmp_path: Path
) -> None:
    text = {"subject": "For {{#sys.workflow_run_id#}}\r\nBcc: x@y.example", "body": "{{#env.KEY#}} is {{#sys.app_id#}}"}
    definition = review(delivery_methods=[mail(outside("a@out.example"), **text)])
    secret = {"id": "k", "name": "KEY", "value_type": "secret", "value": "s3cret-value-of-the-author"}
    definition["environment_variables"] = [secret]
    run = bench.start(bench.app(definition))
    bench.events(run)
    soon(lambda: post.mails)
    (_, message) = post.mails[0]
    assert message["Subject"] == f"For {run.id} Bcc: x@y.example"
    assert message["Bcc"] is None
    assert run.app_id in message.get_content()
    assert f"{BASE}/form/" in message.get_content(), "a body without a place for the link ends with it"
    assert secret["value"] not in message.get_content()
    held = str(sqlite3.connect(tmp_path / "state.db").execute("SELECT * FROM mails").fetchall())
    assert secret["value"] not in held
    assert post.link("a@out.example") not in held


def test_a_mail_that_is_put_off_is_tried_again_and_a_refused_one_is_not(
    bench: Bench, post: Post, soon: Any, later: Later
) -> None:
    post.refuse = {"slow@out.example": "451 later", "no@out.example": "550 unknown"}
    both = mail(outside("slow@out.example"), outside("no@out.example"), outside("a@out.example"))
    bench.events(bench.start(bench.app(review(delivery_methods=[both]))))
    soon(lambda: post.to() == ["a@out.example"] and len(post.tried) == 3)
    post.refuse["slow@out.example"] = ""
    later.ahead = timedelta(seconds=31)
    soon(lambda: post.to() == ["a@out.example", "slow@out.example"])
    later.ahead = timedelta(minutes=50)
    runs.shutdown()
    assert sorted(post.tried) == ["a@out.example", "no@out.example", "slow@out.example", "slow@out.example"]


def test_a_mail_that_breaks_the_connection_keeps_no_other_from_its_reader(
    bench: Bench, configure: Any, soon: Any, tmp_path: Path
) -> None:
    good = [f"{name}@out.example" for name in "abcdef"]
    with served(enable_SMTPUTF8=False, auth_required=False) as (post, port):
        configure(mail=mail_config.read(f"smtp://{LOGIN}@127.0.0.1:{port}", SENDER), **SETTINGS)
        post.refuse = {"busy@out.example": "421 too many", "rude@out.example": "hang up"}
        items = [outside(one) for one in ("ü@out.example", *good[:3], *post.refuse, *good[3:])]
        bench.events(bench.start(bench.app(review(delivery_methods=[mail(*items)]))))
        soon(lambda: post.to() == good)
        runs.shutdown()
    held = sqlite3.connect(tmp_path / "state.db").execute("SELECT address, status FROM mails ORDER BY address")
    told = {"busy@out.example": "waiting", "rude@out.example": "waiting", "ü@out.example": "failed"}
    assert dict(held.fetchall()) == dict.fromkeys(good, "sent") | told


def test_a_form_that_was_answered_meanwhile_is_not_sent_any_more(
    bench: Bench, post: Post, soon: Any, later: Later, tmp_path: Path
) -> None:
    post.refuse = {"a@out.example": "451 later"}
    run = bench.start(bench.app(review(delivery_methods=[WEBAPP, mail(outside("a@out.example"))])))
    token = str(bench.events(run)[-2]["data"]["form_token"])
    soon(lambda: post.tried)
    answer(token, comment="x")
    post.refuse.clear()
    later.ahead = timedelta(minutes=5)
    database = sqlite3.connect(tmp_path / "state.db")
    soon(lambda: database.execute("SELECT status FROM mails").fetchall() == [("late",)])
    assert post.mails == []


def test_without_a_mail_server_nothing_is_written_and_the_import_says_so(bench: Bench, tmp_path: Path) -> None:
    definition = review(delivery_methods=[mail(outside("a@out.example")), {**mail(), "enabled": False}])
    events = bench.run(definition)
    assert names(events)[-1] == "workflow_paused"
    assert sqlite3.connect(tmp_path / "state.db").execute("SELECT COUNT(*) FROM mails").fetchone() == (0,)
    head = {"app": {"mode": "workflow", "name": "Mail"}, "kind": "app", "version": "0.6.0"}
    graph = {"nodes": definition["graph"]["nodes"], "edges": definition["graph"]["edges"]}
    found = load(json.dumps({**head, "workflow": {"graph": graph}}).encode())
    assert found.warnings == ["Node 'Review' sends its form by e-mail, which needs DIFYSPEC_SMTP_URL on the server."]


@pytest.mark.parametrize("url", ["http://host", "smtp://", "smtp://host/path", "host:25", "smtp://u:secret@host:port"])
def test_an_address_that_is_none_of_a_mail_server_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="not ") as caught:
        mail_config.read(url, "a@b")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_where_the_mail_server_offers_encryption_it_is_used_and_its_certificate_counts(
    bench: Bench, configure: Any, soon: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    trusted = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted)
    options = {"tls_context": context, "require_starttls": True} if scheme == "smtp" else {"ssl_context": context}
    with served(**options, auth_require_tls=scheme == "smtp") as (post, port):
        definition = review(delivery_methods=[mail(outside("a@out.example"))])
        config = mail_config.read(f"{scheme}://{LOGIN}@localhost:{port}", SENDER)
        configure(mail=config, **SETTINGS)
        bench.events(bench.start(bench.app(definition)))
        database = sqlite3.connect(tmp_path / "state.db")
        soon(lambda: database.execute("SELECT attempts FROM mails").fetchall() == [(1,)])
        assert post.tried == [], "the certificate is nobody's"
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        bench.events(bench.start(bench.app(definition)))
        soon(lambda: post.to() == ["a@out.example"])
        runs.shutdown()


def certificate(folder: Path) -> Path:
    """A certificate of this machine's own making, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    path = folder / "server.pem"
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(pem))
    return path
