"""An exported model on a Hugging Face hub."""

from __future__ import annotations

import os
import re
from pathlib import Path

from iterate_core.errors import Problem, RequestError, WorkError

_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def check_repository(name: str) -> None:
    """Refuse what is no name of a repository.

    Raises:
        RequestError: It is none.
    """
    if not _NAME.fullmatch(name):
        what = f"{name!r} is no repository."
        raise RequestError(Problem("--push", what, "Name it as OWNER/NAME."))


def push(folder: Path, name: str, *, public: bool) -> str:
    """Upload an exported model; a repository that is not there is made.

    Args:
        folder: The exported model.
        name: As ``OWNER/NAME``.
        public: Whether everybody may see a repository that is made; one that is there stays as it
            is.

    Returns:
        Its address.

    Raises:
        WorkError: The hub cannot be reached, or does not let this user write there.
    """
    from huggingface_hub import HfApi, constants

    endpoint = (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
    if constants.HF_HUB_OFFLINE:
        raise WorkError(_undone(folder, name, endpoint, "HF_HUB_OFFLINE is set"))
    hub = HfApi(endpoint=endpoint)
    try:
        hub.create_repo(name, private=not public, exist_ok=True, repo_type="model")
        hub.upload_folder(
            repo_id=name, folder_path=folder, commit_message="Export a model with iterate"
        )
    except Exception as error:  # its HTTP library's too, another one in each major version
        raise WorkError(_undone(folder, name, endpoint, _reason(error))) from error
    return f"{endpoint}/{name}"


def _undone(folder: Path, name: str, endpoint: str, reason: str) -> str:
    return (
        f"{name} was not pushed to {endpoint} ({reason}). The exported model is whole in {folder}; "
        f"once the hub is there: hf upload {name} {folder}"
    )


def _reason(error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return f"it answers {status}: log in with a token that may write, hf auth login"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
