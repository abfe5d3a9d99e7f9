"""Make the references that `test_encoders_parity.py` compares the encoders with.

Runs the public implementations (terratorch 1.2.13, torchgeo 0.9 or newer) in an environment of
their own, Python 3.12:

    uv venv peers && uv pip install -p peers terratorch==1.2.13 'torchgeo>=0.9'
    peers/bin/python benchmarks/parity/make_references.py

Nothing is downloaded: weights and inputs are drawn from their names, on both sides alike.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

import encoders_support as support  # noqa: E402
from encoders_support import Case  # noqa: E402


def prithvi(case: Case, size: dict[str, Any]) -> list[Tensor]:
    """Every block's tokens of terratorch's Prithvi."""
    from terratorch.models.backbones.prithvi_mae import PrithviViT

    model = PrithviViT(
        img_size=224,
        patch_size=(1, size["patch"], size["patch"]),
        num_frames=case.built,
        in_chans=6,
        embed_dim=size["width"],
        depth=size["depth"],
        num_heads=size["heads"],
        coords_encoding=["time", "location"] if size["coordinates"] else [],
        coords_scale_learn=True,
    )
    prepare(model)
    return list(
        model.forward_features(
            support.images(case),
            temporal_coords=support.dates(case),
            location_coords=support.locations(case),
        )
    )


def terramind(case: Case, size: dict[str, Any]) -> list[Tensor]:
    """Every block's merged tokens of terratorch's TerraMind."""
    from terratorch.models.backbones.terramind.model.terramind_vit import TerraMindViT
    from terratorch.models.backbones.terramind.model.tm_utils import LayerNorm

    plain = not size["gated"]
    model = TerraMindViT(
        img_size=224,
        modalities=list(case.modalities),
        merge_method=case.merging,
        dim=size["width"],
        encoder_depth=size["depth"],
        num_heads=size["heads"],
        qkv_bias=plain,
        proj_bias=plain,
        mlp_bias=plain,
        norm_layer=partial(LayerNorm, eps=1e-6, bias=False),
        act_layer=nn.GELU if plain else nn.SiLU,
        gated_mlp=size["gated"],
    )
    prepare(model)
    return list(model(support.modality_images(case)))


def clay_v1(case: Case, size: dict[str, Any]) -> list[Tensor]:
    """Every block's tokens of terratorch's Clay v1."""
    from terratorch.models.backbones.clay_v1.modules import EmbeddingEncoder

    model = EmbeddingEncoder(
        img_size=case.size[0],
        patch_size=8,
        dim=size["width"],
        depth=size["depth"],
        heads=size["heads"],
        dim_head=64,
        mlp_ratio=4.0,
    )
    prepare(model)
    return list(model(cube(case)))


def clay_v1_5(case: Case, size: dict[str, Any]) -> list[Tensor]:
    """The last block's tokens of terratorch's Clay v1.5, which returns no others."""
    from terratorch.models.backbones.clay_v15.model import Encoder

    model = Encoder(
        mask_ratio=0.0,
        patch_size=8,
        shuffle=False,
        dim=size["width"],
        depth=size["depth"],
        heads=size["heads"],
        dim_head=64,
        mlp_ratio=4.0,
    )
    prepare(model)
    # This version takes the ground sample distance as a tensor only.
    return [model({**cube(case), "gsd": torch.tensor(case.gsd)})[0]]


def dofa(case: Case, size: dict[str, Any]) -> list[Tensor]:
    """Every block's tokens by terratorch's wrapper, then torchgeo's pooled vector."""
    from terratorch.models.backbones.dofa_vit import DOFAEncoderWrapper, resize_pos_embed
    from torchgeo.models import DOFA

    common = {
        "patch_size": size["patch"],
        "embed_dim": size["width"],
        "depth": size["depth"],
        "num_heads": size["heads"],
    }
    model = DOFA(img_size=224, **common)
    prepare(model)
    if case.size != (224, 224):
        native, cells = 224 // size["patch"], case.size[0] // size["patch"]
        table = resize_pos_embed(model.pos_embed, (cells, cells), (native, native), mode="bilinear")
        model = DOFA(img_size=case.size[0], **common)
        model.pos_embed = nn.Parameter(table)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name != "pos_embed":
                    parameter.copy_(support.weight(name, parameter.shape))
        model.eval()
    waves = support.wavelengths(case)
    tokens = DOFAEncoderWrapper(model, waves, out_indices=list(range(size["depth"])))
    return [*tokens(support.images(case)), model.forward_features(support.images(case), waves)]


def cube(case: Case) -> dict[str, Any]:
    """The input of both versions of Clay."""
    zeros = torch.zeros(2, 4)
    time, place = support.circular(case, "time"), support.circular(case, "place")
    return {
        "pixels": support.images(case),
        "time": zeros if time is None else time,
        "latlon": zeros if place is None else place,
        "gsd": case.gsd,
        "waves": torch.tensor(support.wavelengths(case)),
    }


def prepare(model: nn.Module) -> None:
    """Draw the weights and switch to inference."""
    support.fill(model)
    model.eval()


PEERS: dict[str, Callable[[Case, dict[str, Any]], list[Tensor]]] = {
    "prithvi": prithvi,
    "terramind": terramind,
    "clay_v1": clay_v1,
    "clay_v1_5": clay_v1_5,
    "dofa": dofa,
}


def peer(case: Case, size: dict[str, Any]) -> list[Tensor]:
    """What the public implementation returns."""
    run = PEERS.get(case.model) or PEERS[case.model.split("_")[0]]
    with torch.inference_mode():
        return run(case, size)


def write(model: str) -> None:
    """Write one model's reference file."""
    arrays: dict[str, Any] = {}
    for case in (case for case in support.CASES if case.model == model):
        outputs = peer(case, support.MODELS[model])
        for index, tokens in enumerate(outputs):
            arrays[f"{case.name}/{index}"] = support.kept(tokens, f"{case.name}/{index}")
            arrays[f"{case.name}/{index}/shape"] = np.array(tokens.shape, dtype=np.int32)
    path = support.REFERENCES / f"{model}.npz"
    np.savez_compressed(path, **arrays)
    print(
        f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} KiB, {len(arrays) // 2} outputs"
    )


def main() -> None:
    """Write the references of all models, or of those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(support.MODELS))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    support.REFERENCES.mkdir(parents=True, exist_ok=True)
    for model in arguments.models:
        write(model)


if __name__ == "__main__":
    main()
