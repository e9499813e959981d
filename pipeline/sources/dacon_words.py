"""What Dacon's answers mean, in the reader's language."""

from pipeline.language import in_language

# What comes back as "message", for submissions that were not taken.
REFUSALS = {
    "over_max_count": (
        "all submissions that this competition allows are used up",
        "이 대회에서 허용된 제출 횟수를 모두 사용했습니다",
    ),
    "day_max_count": (
        "today's submissions are used up; submit again tomorrow",
        "오늘 제출할 수 있는 횟수를 모두 사용했습니다. 내일 다시 제출하세요",
    ),
}
# What comes back as "data" beside the message "wrong"; codes from 901 on are the later checker's.
FAULTS = {
    "1": (
        "the header is not that of the sample submission",
        "파일의 헤더(열 이름)가 제출 양식과 다릅니다",
    ),
    "2": (
        "the file could not be read as CSV",
        "파일을 CSV로 읽을 수 없습니다",
    ),
    "3": (
        "the number of rows is not that of the sample submission",
        "행 개수가 제출 양식과 다릅니다",
    ),
    "4": (
        "there is a value that is missing or not allowed",
        "비어 있거나 허용되지 않는 값이 있습니다",
    ),
    "21": (
        "a column has another type than in the sample submission",
        "열의 데이터 타입이 제출 양식과 다릅니다",
    ),
    "901": (
        "the header does not match that of the sample submission",
        "파일의 헤더(열 이름)가 제출 양식과 일치하지 않습니다",
    ),
    "902": (
        "the file could not be parsed",
        "파일을 해석할 수 없습니다",
    ),
    "903": (
        "the number of rows does not match that of the sample submission",
        "행 개수가 제출 양식과 일치하지 않습니다",
    ),
    "904": (
        "there is a value that is not valid",
        "올바르지 않은 값이 있습니다",
    ),
    "9021": (
        "there are characters where only numbers may stand",
        "숫자만 들어가야 하는 곳에 문자가 있습니다",
    ),
}


def refused(reason: str) -> str:
    """Return that Dacon did not take the file, and why."""
    return in_language(
        f"Dacon refused the submission: {reason}", f"데이콘이 제출을 거절했습니다: {reason}"
    )


def refusal(message: str, code: str) -> str | None:
    """Return the sentence for an answer that is a refusal, or None if it is none.

    message, code: what stands under "message" and "data" in the answer.
    """
    if message in REFUSALS:
        return refused(in_language(*REFUSALS[message]))
    if message != "wrong":
        return None
    if code in FAULTS:
        english, korean = FAULTS[code]
        return refused(in_language(f"{english} (code {code})", f"{korean} (코드 {code})"))
    return refused(
        in_language(
            f"the file is wrong, by a code that is not known here ({code or 'none'})",
            f"파일에 문제가 있습니다. 알려지지 않은 코드입니다 ({code or '없음'})",
        )
    )


def refused_with_status(status: int, message: str) -> str:
    """Return that Dacon answered with an error of the caller's, in its own words."""
    return refused(f"HTTP {status}, {message!r}" if message else f"HTTP {status}")


def accepted() -> str:
    """Return that Dacon took the file; it tells no score."""
    return in_language(
        "Dacon took the submission; the score is on its site",
        "데이콘에 제출되었습니다. 점수는 사이트에서 확인하세요",
    )


def unconfirmed(what: str, page: str | None) -> str:
    """Return that nothing says whether the submission arrived, where to look, and what to do."""
    return in_language(
        f"Dacon did not confirm the submission: {what}; look whether it is listed at {page} (tab "
        "Submission), and only if it is not, submit once more with --again",
        f"데이콘에 제출되었는지 확인하지 못했습니다: {what}. {page} 의 제출 탭에 있는지 먼저 "
        "확인하고, 없을 때만 --again 옵션으로 다시 제출하세요",
    )


def earlier_unconfirmed(file: object, time: str, page: str | None) -> str:
    """Return that an earlier attempt with the same bytes was never confirmed."""
    return in_language(
        f"{file}: an attempt to submit the same bytes on {time} was not confirmed, and Dacon gives "
        f"no list to look it up in; look at {page} (tab Submission), and only if it is not there, "
        "submit once more with --again",
        f"{file}: {time}에 같은 파일을 제출했지만 확인되지 않았고, 데이콘은 제출 목록을 제공하지 "
        f"않습니다. {page} 의 제출 탭에 있는지 먼저 확인하고, 없을 때만 --again 옵션으로 다시 "
        "제출하세요",
    )


def no_list(page: str | None) -> str:
    """Return that only the ledger knows of submissions."""
    return in_language(
        f"Dacon gives no list of submissions; this is what was noted here; scores are at {page}",
        "데이콘은 제출 목록을 제공하지 않아 여기에 기록된 내용만 보여 줍니다. "
        f"점수는 {page} 에서 확인하세요",
    )


def no_leaderboard(page: str | None) -> str:
    """Return where the leaderboard is."""
    return in_language(
        f"Dacon offers no leaderboard to programs; see it at {page}/leaderboard",
        f"데이콘은 프로그램용 리더보드를 제공하지 않습니다. {page}/leaderboard 에서 확인하세요",
    )


def files_by_hand(name: str, page: str) -> str:
    """Return how to come by the files, which are handed out by browser only."""
    return in_language(
        f"{name}: Dacon hands out its files in the browser only, to whoever is logged in and has "
        f"agreed to the rules: download them at {page}/data, then run kc fetch {name} --from "
        f"ZIP_OR_DIR; or try kc fetch {name} --sample",
        f"{name}: 데이콘 데이터는 브라우저로만 받을 수 있습니다. 로그인하고 대회 규칙에 동의한 뒤 "
        f"{page}/data 에서 내려받아 kc fetch {name} --from ZIP_OR_DIR 을 실행하세요. "
        f"연습용 데이터는 kc fetch {name} --sample 로 만들 수 있습니다",
    )


def not_reached(reason: str) -> str:
    """Return that nothing was sent."""
    return in_language(
        f"Dacon cannot be reached ({reason}); nothing was sent, so it is safe to try again",
        f"데이콘에 연결할 수 없습니다 ({reason}). 전송된 것이 없으므로 다시 시도해도 됩니다",
    )


def no_answer(seconds: float) -> str:
    """Return that the time to wait is over."""
    return in_language(
        f"no answer within {seconds:.0f} s", f"{seconds:.0f}초 안에 응답이 없었습니다"
    )


def connection_lost(reason: str) -> str:
    """Return that the connection ended between sending and the answer."""
    return in_language(
        f"the connection was lost while sending ({reason})",
        f"전송 중에 연결이 끊어졌습니다 ({reason})",
    )


def not_json(status: int) -> str:
    """Return that the answer is not of the protocol."""
    return in_language(
        f"the answer is not what the protocol promises (HTTP {status}, no JSON object)",
        f"약속된 형식의 응답이 아닙니다 (HTTP {status}, JSON 객체가 아님)",
    )


def unknown_answer(status: int | None, message: str) -> str:
    """Return that the answer is one that is not known here."""
    http = "" if status is None else f"HTTP {status}, "
    return in_language(
        f"the answer is not known here ({http}{message!r})",
        f"알려지지 않은 응답입니다 ({http}{message!r})",
    )


def package_said_nothing() -> str:
    """Return that the installed package kept the outcome to itself."""
    return in_language(
        "dacon_submit_api returned nothing", "dacon_submit_api가 아무것도 반환하지 않았습니다"
    )


def package_failed(reason: str) -> str:
    """Return that the installed package raised an error after it was called."""
    return in_language(
        f"dacon_submit_api failed ({reason})", f"dacon_submit_api에서 오류가 났습니다 ({reason})"
    )


def package_missing(reason: str) -> str:
    """Return how to come by the package that was asked for."""
    return in_language(
        f"KC_DACON_CLIENT asks for dacon_submit_api, which cannot be imported ({reason}); install "
        "the wheel announced at https://dacon.io/forum/403557, or unset KC_DACON_CLIENT",
        f"KC_DACON_CLIENT에 지정된 dacon_submit_api를 불러올 수 없습니다 ({reason}). "
        "https://dacon.io/forum/403557 에 안내된 wheel을 설치하거나 KC_DACON_CLIENT를 지우세요",
    )


def too_large(path: object, size: int, most: int) -> str:
    """Return that a file is larger than Dacon takes."""
    return in_language(
        f"{path}: Dacon takes up to {most:,} bytes, found {size:,}; write fewer digits",
        f"{path}: 데이콘에는 {most:,}바이트까지 제출할 수 있는데 {size:,}바이트입니다. "
        "소수점 아래 자릿수를 줄이세요",
    )


def no_token(page: str | None) -> str:
    """Return how to come by a token."""
    return in_language(
        "no Dacon token: make one at dacon.io (My page, account settings), then set DACON_TOKEN or "
        "save it in ~/.dacon/token; or upload the file by hand "
        f"at {page} and note it with kc submit --by-hand",
        "데이콘 토큰이 없습니다. dacon.io 마이페이지의 계정 설정에서 토큰을 발급받아 DACON_TOKEN "
        f"환경 변수에 넣거나 ~/.dacon/token 파일에 저장하세요. 또는 {page} 에서 직접 제출하고 "
        "kc submit --by-hand 로 기록해 두세요",
    )


def bad_token(where: object) -> str:
    """Return that a place holds no token; what it holds is not shown."""
    return in_language(
        f"{where}: expected a Dacon token, one line without spaces, and found something else; "
        "copy the token once more",
        f"{where}: 공백 없는 한 줄짜리 데이콘 토큰이 아닙니다. 토큰을 다시 복사하세요",
    )


def unreadable_token(path: object, reason: str) -> str:
    """Return that the file of the token cannot be read."""
    return in_language(
        f"{path}: the Dacon token cannot be read: {reason}; correct DACON_TOKEN_FILE or the file",
        f"{path}: 데이콘 토큰을 읽을 수 없습니다: {reason}. DACON_TOKEN_FILE이나 파일을 확인하세요",
    )


def open_token(path: object) -> str:
    """Return that others on this machine can read the token."""
    return in_language(
        f"{path}: others on this machine can read the Dacon token; run chmod 600 {path}",
        f"{path}: 이 컴퓨터의 다른 사용자도 데이콘 토큰을 읽을 수 있습니다. "
        f"chmod 600 {path} 를 실행하세요",
    )


def no_team(page: str | None) -> str:
    """Return where the team's name is given."""
    return in_language(
        "no team name: write it as [source] team in competition.toml, or set DACON_TEAM; it is the "
        f"name on the tab Team at {page}",
        "팀 이름이 없습니다. competition.toml의 [source] team이나 DACON_TEAM 환경 변수에 넣으세요. "
        f"{page} 의 팀 탭에 있는 이름과 같아야 합니다",
    )


def unsafe_address(url: str) -> str:
    """Return that the token would travel where all can read it."""
    return in_language(
        f"KC_DACON_URL: expected https://..., found {url!r}; the token would be sent unencrypted",
        f"KC_DACON_URL: https:// 주소여야 하는데 {url!r} 입니다. "
        "토큰이 암호화되지 않은 채 전송될 수 있습니다",
    )
