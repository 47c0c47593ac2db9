"""What an operator sets is what holds, and what is wrong is said with where it stands and what to write instead.

Must hold: an option goes before the environment, that before the file, that before the default, for every setting; an unknown
or impossible one is an error; no password is shown. A failure would be a setting that is silently not taken.
"""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.settings import FILE_NAME, SETTINGS, Setting, Settings, SettingsError, effective, load_settings, sample

NUMBERS = [setting for setting in SETTINGS if setting.least is not None]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)


def write(directory: Path, content: str, mode: int = 0o600) -> None:
    path = directory / FILE_NAME
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)


def test_every_setting_is_a_field() -> None:
    assert {setting.name for setting in SETTINGS} == {field.name for field in fields(Settings)} - {
        "export_token",
        "service_key",
        "evaluation_keys",
    }


@pytest.mark.parametrize("setting", NUMBERS, ids=lambda setting: setting.name)
def test_the_order_of_sources(setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert setting.least is not None
    name, least = setting.name, setting.least

    def found(options: dict[str, int] | None = None) -> tuple[object, str]:
        item = effective(tmp_path, options)[name]
        return item.value, item.source

    assert found() == (getattr(Settings, name), "default")
    write(tmp_path, f"{name} = {least}\n")
    assert found() == (least, "file")
    monkeypatch.setenv(setting.variable, str(least + 1))
    assert found() == (least + 1, "environment")
    assert found({name: least + 2}) == (least + 2, "option")


def test_the_database_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert effective(tmp_path)["database"].value == f"sqlite:///{tmp_path / 'service.db'}"
    write(tmp_path, 'database = "postgresql://bank@db.example/log"\n')
    assert effective(tmp_path)["database"].value == "postgresql://bank@db.example/log"
    monkeypatch.setenv("TRADEVEIL_DATABASE", "sqlite:///elsewhere.db")
    assert effective(tmp_path)["database"].value == "sqlite:///elsewhere.db"


@pytest.mark.parametrize("setting", NUMBERS, ids=lambda setting: setting.name)
def test_impossible_values(setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert setting.least is not None
    assert setting.most is not None
    for value in (str(setting.least - 1), str(setting.most + 1), '"8440"', "1.5", "true", "[]"):
        write(tmp_path, f"{setting.name} = {value}\n")
        with pytest.raises(SettingsError, match=rf"{setting.name} in .*{FILE_NAME} is a whole number from \d+ to \d+"):
            effective(tmp_path)
    write(tmp_path, "")
    for text in (str(setting.most + 1), "x", "1.0", " 1", "+1", "1_0", "\u0661", "9" * 5_000):
        monkeypatch.setenv(setting.variable, text)
        with pytest.raises(SettingsError, match=setting.variable):
            effective(tmp_path)
    monkeypatch.delenv(setting.variable)
    with pytest.raises(SettingsError, match=f"--{setting.name.replace('_', '-')}"):
        effective(tmp_path, {setting.name: setting.most + 1})


@pytest.mark.parametrize(
    "content, said",
    [
        ("prot = 1\n", "did you mean port"),
        ("[server]\nport = 1\n", "there are: database"),
        ("port = \n", "is not TOML"),
        ("port = 1\nport = 2\n", "is not TOML"),
        ("database = 5\n", "text in quotes"),
        ('database = ""\n', "text in quotes"),
        ('host = ""\n', "text in quotes"),
        ("\udcff", "cannot be read"),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / FILE_NAME).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsError, match=said):
        effective(tmp_path)
    result = CliRunner().invoke(app, ["config", "--directory", str(tmp_path)])
    assert result.exit_code == 2
    assert said.split(":")[0] in " ".join(result.output.split())


def test_a_password_is_for_its_owner_alone(tmp_path: Path) -> None:
    content = 'database = "postgresql://bank:TELL-NOBODY@db.example/log?sslpassword=NOR-THIS"\n'
    write(tmp_path, content, 0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        effective(tmp_path)
    write(tmp_path, content)
    result = CliRunner().invoke(app, ["config", "--directory", str(tmp_path)])
    assert result.exit_code == 0
    assert "db.example" in result.output
    for text in (result.output, repr(effective(tmp_path)), repr(Settings(content, "TELL-NOBODY", b"TELL-NOBODY"))):
        assert "TELL-NOBODY" not in text
        assert "NOR-THIS" not in text
    write(tmp_path, 'database = "TELL-NOBODY"\n')
    assert "TELL-NOBODY" not in CliRunner().invoke(app, ["config", "--directory", str(tmp_path)]).output


def test_what_holds_is_shown_with_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "port = 8441\nworkers = 4\n")
    monkeypatch.setenv("TRADEVEIL_WORKERS", "3")
    result = CliRunner().invoke(app, ["config", "--directory", str(tmp_path), "--host", "::1"])
    for line in ("host = ::1  (option)", "port = 8441  (file)", "workers = 3  (environment)", "metrics_port = 0  (default)"):
        assert line in result.output


def test_the_sample_sets_nothing_and_its_lines_can_be_used(tmp_path: Path) -> None:
    assert tomllib.loads(sample()) == {}
    lines = [line.removeprefix("# ") for line in sample().splitlines() if " = " in line]
    used = tomllib.loads("\n".join(line for line in lines if not line.startswith("database")))
    assert used == {setting.name: setting.default for setting in SETTINGS if setting.name != "database"}
    write(tmp_path, sample())
    assert {item.source for item in effective(tmp_path).values()} == {"default"}
    assert max(map(len, sample().splitlines())) <= 160


def test_a_directory_without_a_log(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="serve init"):
        load_settings(tmp_path)
