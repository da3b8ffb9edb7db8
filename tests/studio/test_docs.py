"""The example in docs/studio.md does what it says."""

from __future__ import annotations

import re
from pathlib import Path

from serving import png, serving

from dragkit import Editor, pictures
from dragkit.studio.desk import Desk, Settings

DOCS = Path(__file__).parents[2] / "docs" / "studio.md"


def test_the_client_in_python(tiny, picture, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    large = picture.repeat(2, 0).repeat(2, 1)
    Path("cup.png").write_bytes(png(large))
    code = re.search(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL).group(1)
    desk = Desk(Settings(cache=2**30), load=lambda _: Editor(tiny))
    with serving(desk) as address:
        exec(code.replace("http://127.0.0.1:8765", address).replace('"edits"', '"steps": 2, "edits"'), {})
    assert capsys.readouterr().out.splitlines()[-1].startswith("done")
    assert pictures.read("preview.png").shape == pictures.read("moved-0.png").shape == large.shape
