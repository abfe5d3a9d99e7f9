"""Addresses inside the dashboard that open on what a person wants to see first.

MLflow's front page begins with tools for chat programs, and its list of runs shows studies
folded up; both can be said otherwise in the address.
"""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from typing import Any

from iterate.tracking.views import VIEW, VIEW_TAG

_TIMEOUT_SECONDS = 10
_TRIALS = 'tags.`iterate.kind` = "trial"'


def front(address: str, name: str | None) -> dict[str, str]:
    """Links to an experiment's studies, and to its trials' curves with the best trials first.

    Args:
        address: Where the server answers.
        name: The experiment; None, or one that is not there, takes the newest.

    Returns:
        What the link shows → the link; empty where the store holds no experiment of ours.

    Raises:
        OSError: The server does not answer.
    """
    search = {"max_results": 1000, "order_by": ["creation_time DESC"]}
    found = _ask(address, "experiments/search", search).get("experiments", [])
    ours = [one for one in found if one["experiment_id"] != "0"]  # MLflow's own "Default"
    if not ours:
        return {}
    chosen = next((one for one in ours if one["name"] == name), ours[0])
    page = f"{address}/#/experiments/{chosen['experiment_id']}/runs?"
    view = {"workflowType": "machine_learning"}
    curves = view | {"compareRunsMode": "CHART", "searchFilter": _TRIALS}
    curves |= best_first(_objective(address, chosen["experiment_id"]))
    quote = urllib.parse.quote
    studies = view
    if any(tag["key"] == VIEW_TAG for tag in chosen.get("tags", [])):
        studies = view | {"viewStateShareKey": VIEW}
    return {
        "studies": page + urllib.parse.urlencode(studies, quote_via=quote),
        "trials": page + urllib.parse.urlencode(curves, quote_via=quote),
    }


def best_first(objective: str | None) -> dict[str, str]:
    """How to order trials, given the tag of their study: ``"val/loss (min)"``.

    Ordered by anything but their start, runs are listed one by one.
    """
    if objective is None:
        return {"orderByKey": "attributes.end_time", "orderByAsc": "false"}
    name, _, mode = objective.partition(" ")
    ascending = "true" if mode == "(min)" else "false"
    return {"orderByKey": f"metrics.`best/{name}`", "orderByAsc": ascending}


def _objective(address: str, experiment: str) -> str | None:
    """What the newest study says of its objective."""
    query = {
        "experiment_ids": [experiment],
        "filter": 'tags.`iterate.kind` = "study"',
        "max_results": 1,
    }
    for run in _ask(address, "runs/search", query).get("runs", []):
        tags = {tag["key"]: tag["value"] for tag in run["data"].get("tags", [])}
        return tags.get("iterate.objective")
    return None


def _ask(address: str, question: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{address}/api/2.0/mlflow/{question}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
        answer: dict[str, Any] = json.load(response)
        return answer
