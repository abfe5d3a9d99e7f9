"""Where Hydra finds config files: the user's own folder first, then what ships."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.config_repository import CachingConfigRepository, ConfigRepository
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra.core.default_element import ConfigDefault, GroupDefault, InputDefault
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from iterate.config import earlier
from iterate.config.limits import check_size
from iterate.config.messages import shown, unreadable
from iterate.config.yaml_files import FAILURES, check_numbers
from iterate_core.errors import Problem, RequestError


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
        self.readings: list[str] = []

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
        first = f"config_path={config_path}" not in self.cache
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
        if first and result is not None and "/" not in config_path:
            self._translate(file, result)
        return result

    def _translate(self, file: Path, result: ConfigResult) -> None:
        """Read a file of an earlier version as one of this."""
        before = OmegaConf.to_container(result.config)
        content: Any = earlier.with_translated_spaces(before)
        defaults = result.defaults_list or []
        option = None if _choosing(earlier.GROUP, defaults) else earlier.pop_choice(content)
        if option is not None and earlier.GROUP in content:
            what = f"says {earlier.GROUP} and {earlier.FREEZE}, which is its earlier spelling."
            hint = f"Leave out {earlier.FREEZE}."
            raise RequestError(Problem(f"{shown(file)}: {earlier.FREEZE}", what, hint))
        if option is not None:
            reading = f"{earlier.GROUP}: {{name: {option}}}"
            if self._builds_on(earlier.GROUP, defaults):
                reading = f"override {earlier.GROUP}: {option}, in its defaults"
                group = GroupDefault(group=earlier.GROUP, value=option, override=True)
                result.defaults_list = [*defaults, group]
            else:
                content[earlier.GROUP] = {"name": option}
            self.readings.append(f"{shown(file)}: {reading}")
        elif content != before:
            self.readings.append(f"{shown(file)}: {earlier.GROUP}, in its space")
        if content != before:
            result.config = OmegaConf.create(content)

    def _builds_on(self, group: str, defaults: Sequence[InputDefault]) -> bool:
        """Whether a file that a defaults list builds on chooses an option of a group."""
        for default in defaults:
            if isinstance(default, ConfigDefault) and not default.is_self():
                found = self.load_config(str(default.path).removeprefix("/"))
                inner = (found.defaults_list or []) if found is not None else []
                if _choosing(group, inner) or self._builds_on(group, inner):
                    return True
        return False

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


def _choosing(group: str, defaults: Sequence[InputDefault]) -> bool:
    return any(isinstance(one, GroupDefault) and one.group == group for one in defaults)
