"""Calls to Kaggle through its own client, made safe.

    with connect() as kaggle:
        page = kaggle.call("list_data_files", competition_name="titanic", page_size=200)
        print([file.name for file in page.files])

The client logs in while it is imported, prints to stdout, may end the process, and waits for ever.
Here it is imported when first needed, alone and offline; each request has a timeout; what is worth
asking again is asked a few times; and every error is a SourceError that says what to do.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin

import requests

from pipeline.errors import PipelineError, SourceError
from pipeline.progress import Warned, emit
from pipeline.sources.kaggle import refusals
from pipeline.sources.kaggle.client import endpoint, host, new_session, open_client, timeout
from pipeline.sources.kaggle.credentials import Credential, found_credentials

T = TypeVar("T")

PAUSES = (0.5, 1.0, 2.0)  # seconds before the second, third and fourth try
TOKEN_CHECK = 5.0  # seconds for the question what is wrong with a token


class Connection:
    """Kaggle's client, logged in by one credential."""

    def __init__(
        self,
        client: Any,
        credential: Credential,
        storage: requests.Session,
        secrets: Mapping[str, str | None],
    ) -> None:
        self.client = client
        self.credential = credential
        hidden = (credential.secret, secrets.get("password"), secrets.get("api_token"))
        self._secrets = {secret for secret in hidden if secret}
        self.session.get_redirect_target = lambda _: None  # see open()
        self._storage = storage

    @property
    def host(self) -> str:
        """The service's name, as errors print it."""
        return host()

    @property
    def session(self) -> requests.Session:
        """The session of the client's requests."""
        return self.client.http_client()._session

    def call(self, method: str, *, once: bool = False, **fields: Any) -> Any:
        """Return the client's answer to one call, such as "list_submissions".

        once: never ask again, for what must not happen twice. fields: those of the request, as
        competition_name; those that are None are left out.
        Raises SourceError.
        """
        slug = fields.get("competition_name")
        with self.explained(slug):
            return self.retried(lambda: self.call_once(method, **fields), once=once)

    def call_once(self, method: str, **fields: Any) -> Any:
        """Return the client's answer, or let its error through."""
        _, request = _request(method, fields)
        return getattr(self.client.competitions.competition_api_client, method)(request)

    def answer(self, method: str, **fields: Any) -> dict[str, Any]:
        """Return an answer's JSON as it came, where the client's types would not know a word.

        Raises SourceError.
        """
        with self.explained(fields.get("competition_name")):
            return self.retried(lambda: self.answer_once(method, **fields))

    def answer_once(self, method: str, **fields: Any) -> dict[str, Any]:
        """Return an answer's JSON as it came, or let the client's error through."""
        name, request = _request(method, fields)
        service = "competitions.CompetitionApiService"
        found = self.client.http_client().call(service, name, request, _Json)
        if not isinstance(found, dict):
            raise ValueError(f"expected a JSON object, found {type(found).__name__}")
        return found

    def upload(self, url: str, file: Path) -> None:
        """Send a file's bytes to the address that start_submission_upload gave.

        Nothing is submitted by it yet, so it is tried again. Raises SourceError.
        """

        def send() -> None:
            with file.open("rb") as stream, new_session() as session:
                # An empty file would be sent in chunks, without a length.
                content = stream if file.stat().st_size else b""
                session.put(url, data=content).raise_for_status()

        with self.explained(None):
            self.retried(send)

    def content(self, method: str, **fields: Any) -> bytes:
        """Return the bytes of a small download, as "download_leaderboard".

        Raises SourceError.
        """

        def receive() -> bytes:
            with self.open(method, {}, **fields) as response:
                return bytes(response.content)

        with self.explained(fields.get("competition_name")):
            return self.retried(receive)

    def open(self, method: str, headers: Mapping[str, str], **fields: Any) -> requests.Response:
        """Return the answer with a file's bytes, which are still to be read, and to be closed.

        The client would follow the redirect by itself; so that bytes which are here already are
        not sent again, the address it leads to is asked with headers, as Range.
        Raises what the client raises.
        """
        answer = self.call_once(method, **fields)
        if not answer.is_redirect:
            return answer
        answer.close()
        url = urljoin(answer.url, answer.headers["Location"])
        auth = None if self.session.should_strip_auth(answer.url, url) else self.session.auth
        headers = {**headers, "Accept-Encoding": "identity"}  # as many bytes as Content-Length says
        response = self._storage.get(url, headers=headers, auth=auth, stream=True)
        if response.status_code != requests.codes.requested_range_not_satisfiable:
            response.raise_for_status()
        return response

    def retried(
        self, send: Callable[[], T], *, once: bool = False, pauses: Sequence[float] = PAUSES
    ) -> T:
        """Return what a request brings, asking a busy service a few times."""
        for pause in (*pauses, None):
            try:
                return send()
            except Exception as error:
                wait = None if once or pause is None else refusals.pause_before(error, pause)
                if wait is None:
                    raise
                status = refusals.status_of(error)
                why = f"busy ({status})" if status else "connection lost"
                emit(Warned(f"{self.host}: {why}; trying again in {wait:.1f} s"))
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    @contextlib.contextmanager
    def explained(self, slug: str | None) -> Iterator[None]:
        """Turn the client's errors into SourceErrors; none of them carries a secret.

        The cause is left out: an address may be signed, and what signs it is a secret too.
        """
        try:
            yield
        except PipelineError:
            raise
        except Exception as error:
            raise self.explain(error, slug) from None

    def explain(self, error: Exception, slug: str | None) -> SourceError:
        """Return the SourceError that an error of the client means."""
        from pipeline.sources.kaggle.suggestions import forbidden

        status = refusals.status_of(error)
        if isinstance(error, requests.RequestException) and status is None:
            return refusals.unreachable(error, self.host)
        if status is None and isinstance(error, OSError):  # such as a missing REQUESTS_CA_BUNDLE
            return SourceError(f"{self.host}: {refusals.reason_of(error)}")
        if status is None:
            return refusals.unreadable(error)
        reason = self.without_secret(refusals.reason_of(error))
        if status not in refusals.BUSY and refusals.is_of_storage(error):
            return refusals.closed_storage(error, reason)
        if status == 401:
            return refusals.unauthorised(self.credential, reason, _is_active(self.credential))
        if status in (403, 404):
            return forbidden(self, slug, status, reason)
        if status in refusals.BUSY:
            return refusals.busy(error, self.host)
        return SourceError(f"{self.host}: refused ({status}): {reason}")

    def without_secret(self, text: str) -> str:
        """Return a text of the service with the secret, if it repeats it, taken out."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


@contextlib.contextmanager
def connect() -> Iterator[Connection]:
    """Yield a connection by the first credential that is found.

    Raises SourceError if there is none, or the client cannot be imported.
    """
    found = found_credentials()
    credential = next((one for one in found if not one.fault), None)
    if credential is None:
        raise refusals.no_credentials()
    for one in found:
        if one.fault:
            emit(Warned(f"Kaggle: the {one.kind} of {one.where} {one.fault}"))
    if credential.advice:
        emit(Warned(credential.advice))
    secrets = _secrets(credential)
    with open_client(secrets) as client, new_session() as storage:
        yield Connection(client, credential, storage, secrets)


def check_reachable(seconds: float = 5.0) -> None:
    """Check that Kaggle answers at all; no credential is used.

    Raises SourceError.
    """
    url = endpoint()
    try:
        requests.head(url, timeout=seconds, allow_redirects=False)
    except requests.RequestException as error:
        raise refusals.unreachable(error, host()) from None


class _Json:
    """What the client shall make of an answer: its JSON."""

    @staticmethod
    def prepare_from(response: requests.Response) -> Any:
        try:
            return response.json()
        except RecursionError as error:
            raise requests.exceptions.JSONDecodeError(str(error), "", 0) from None


def _request(method: str, fields: dict[str, Any]) -> tuple[str, Any]:
    """Return a call's name at the service, and its request."""
    from kagglesdk.competitions.types import competition_api_service as types

    name = "".join(word.title() for word in method.split("_"))
    request = getattr(types, f"Api{name}Request")()
    for field, value in fields.items():
        if value is not None:
            setattr(request, field, value)
    return name, request


def _secrets(credential: Credential) -> dict[str, str | None]:
    """Return a credential as the client takes it."""
    if credential.kind == "key":
        return {"username": credential.username, "password": credential.secret}
    if credential.kind == "token":
        return {"api_token": credential.secret}
    return {"api_token": _refreshed(credential)}


def _refreshed(credential: Credential) -> str:
    """Return the access token of a login, after having it renewed if it is old.

    Raises SourceError.
    """
    with open_client({}) as client, new_session() as storage:
        from kagglesdk.kaggle_creds import KaggleCredentials

        kaggle = Connection(client, credential, storage, {})
        with kaggle.explained(None):
            login = KaggleCredentials.load(client=client)
            token = kaggle.retried(login.get_access_token)
    if not token:
        raise SourceError(f"{credential.path}: gives no access token; run kaggle auth login")
    return str(token)


def _is_active(credential: Credential) -> bool | None:
    """Return whether Kaggle calls a token active, or None if it does not say so in time."""
    from kagglesdk.security.types.oauth_service import IntrospectTokenRequest

    if credential.kind != "token":
        return None
    request = IntrospectTokenRequest()
    request.token = credential.secret
    with open_client(_secrets(credential), min(TOKEN_CHECK, timeout())) as client:
        try:
            return bool(client.security.oauth_client.introspect_token(request).active)
        except Exception:  # it only makes the error better
            return None
