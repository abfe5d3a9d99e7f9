"""The dataset readers that ship. Imports none of them."""

from __future__ import annotations

from iterate_core.registry.registry import Entry, Registry

_DATA = "iterate_core.data"


def register(datasets: Registry) -> None:
    """Add every reader that ships."""
    for name, options, reader in (
        ("geobench_v1", "geobench_v1.reader:GeoBenchV1Data", "geobench_v1.reader:GeoBenchV1"),
        ("geobench_v2", "geobench_v2.options:GeoBenchV2Data", "geobench_v2.reader:GeoBenchV2"),
        (
            "image_folder",
            "folders.options:ImageFolderData",
            "folders.image_folder:open_image_folder",
        ),
        (
            "geotiff_folder",
            "folders.options:GeotiffFolderData",
            "folders.geotiff_folder:open_geotiff_folder",
        ),
        ("huggingface", "huggingface.options:HuggingFaceData", "huggingface.reader:open_tables"),
        ("torchgeo_nongeo", "torchgeo.options:NonGeoData", "torchgeo.nongeo:open_nongeo"),
        ("torchgeo_geo", "torchgeo.geo_options:GeoData", "torchgeo.geo:open_geo"),
        ("npz", "arrays.options:NpzData", "arrays.reader:Npz"),
        ("generated", "generated.reader:GeneratedData", "generated.reader:open_generated"),
    ):
        datasets.register(Entry(name, f"{_DATA}.{options}", f"{_DATA}.{reader}"))
