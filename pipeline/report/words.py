"""What the pages' headings are in the reader's language."""

from pipeline.language import in_language, is_korean

_KOREAN = {
    "Score": "점수",
    "Models": "모델",
    "Learning": "학습 곡선",
    "Predictions": "예측",
    "Features": "특성",
    "Data": "데이터",
    "Checks": "점검",
    "Time": "시간",
    "Repeat": "재현",
    "Runs": "실행",
    "Rows": "행",
    "Public score": "공개 점수",
    "Leaderboard": "리더보드",
    "Place": "예상 순위",
    "Best run": "가장 좋은 실행",
    "Training curves": "학습 곡선",
    "Feature importance": "특성 중요도",
    "Missing values": "결측값",
    "Confusion matrix": "혼동 행렬",
    "Confused most often": "가장 자주 혼동된 클래스",
    "Calibration": "보정 곡선",
    "ROC curve": "ROC 곡선",
    "Predicted against true": "예측값과 실제값",
    "Distribution": "분포",
    "Residuals": "잔차",
    "Score over time": "시간에 따른 점수",
    "Cross-validation against public score": "교차 검증과 공개 점수",
}


def say(english: str) -> str:
    """Return a heading in the reader's language; English where there is no other word for it."""
    return in_language(english, _KOREAN.get(english, english))


def language() -> str:
    """Return the language of a page, as HTML names it."""
    return "ko" if is_korean() else "en"
