"""Where Hydra finds config files: the user's own folder first, then what ships."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hydra import version
from hydra._internal.config_repository import CachingConfigRepository, ConfigRepository
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra.core.default_element import GroupDefault
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from iterate.config.limits import check_size
from iterate.config.messages import unreadable
from iterate.config.yaml_files import FAILURES, check_numbers
from iterate_core.errors import RequestError


class Repository(CachingConfigRepository):
    """Reads each file once, so that a study sees one version of it, and says which is broken.

    Args:
        folders: Searched in this order.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        if not version.base_at_least("1.2"):
            version.setbase("1.3")
        Plugins.instance()  # registers the readers of files
        path = ConfigSearchPathImpl()
        for folder in folders:
            path.append("iterate", str(folder))
        path.append("schema", "structured://")
        super().__init__(ConfigRepository(path))
        self._folders = folders
        self._options: dict[str, list[str]] = {}

    def file(self, config_path: str) -> Path:
        """The file of a config; the place where the user might put it, if there is none."""
        places = [folder / f"{config_path}.yaml" for folder in self._folders]
        return next((place for place in places if place.is_file()), places[0])

    def load_config(self, config_path: str) -> ConfigResult | None:
        """Read a config.

        Raises:
            RequestError: Its file is unreadable, no mapping, or larger than `limits` lets it be.
        """
        file = self.file(config_path)
        check_size(file)
        try:
            result = super().load_config(config_path)
            if result is not None:
                check_numbers(OmegaConf.to_container(result.config))
        except RecursionError:
            raise  # its size was checked, so files build on each other: the composer says it
        except (HydraException, OmegaConfBaseException, *FAILURES) as error:
            raise RequestError(unreadable(file, error)) from None
        if result is not None and not isinstance(result.config, DictConfig):
            raise RequestError(unreadable(file, ValueError("must hold key: value pairs")))
        return result

    def options(self, group: str) -> list[str]:
        """The options of a config group, sorted; empty where there is no such group."""
        if group not in self._options:
            self._options[group] = self.get_group_options(group, ObjectType.CONFIG)
        return self._options[group]

    def groups(self) -> list[str]:
        """Every config group that ships, for hints."""
        top = self._folders[-1]
        return sorted(
            Path(folder).relative_to(top).as_posix()
            for folder, _, files in os.walk(top)
            if Path(folder) != top and any(name.endswith(".yaml") for name in files)
        )

    def read(self) -> list[str]:
        """The paths of every config that was looked for so far."""
        return [key.removeprefix("config_path=") for key in self.cache]

    def chosen_by(self, config_path: str) -> list[str]:
        """What a config's own defaults list chooses: ``["model/decoder/unet"]``."""
        result = self.cache.get(f"config_path={config_path}")
        defaults = (result.defaults_list or []) if result is not None else []
        return [
            f"{default.group}/{default.value}"
            for default in defaults
            if isinstance(default, GroupDefault)
        ]
