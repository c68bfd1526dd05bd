"""The register's commands as a person types them, on a database of their own."""

from __future__ import annotations

import json

from anlan.cli import main


def test_divisions_import_export(real_db, tmp_path, capsys, monkeypatch):
    from anlan.register.models import Organisation

    assert main(["divisions", "440303"]) == 0 and capsys.readouterr().out.strip() == "122"
    sheet = tmp_path / "单位.csv"
    sheet.write_text("名称,类别,区划\n莲塘街道办,street,440303008\n无处,street,999\n", "utf-8")
    assert main(["import", "organisation", str(sheet), "--dry-run"]) == 1
    assert "试运行" in capsys.readouterr().out and not Organisation.objects.exists()
    assert main(["import", "organisation", str(sheet), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["created"], told["rejected"], told["reasons"][0]["field"]) == (1, 1, "division_code")
    assert "原因" in (tmp_path / "单位-rejected.csv").read_text("utf-8-sig")
    target = tmp_path / "out.xlsx"
    assert main(["export-ledger", "organisation", str(target)]) == 0 and target.read_bytes()[:2] == b"PK"
    capsys.readouterr()
    assert main(["import", "organisation", str(target)]) == 0 and "同 1" in capsys.readouterr().out
    assert main(["export-ledger", "organisation", str(tmp_path / "t.pdf"), "--template"]) == 1
    assert main(["import", "organisation", str(tmp_path / "none.csv")]) == 1
    assert "无法打开" in capsys.readouterr().err
    outlines = tmp_path / "a.geojson"
    outlines.write_text('{"type":"FeatureCollection","features":[]}')
    assert main(["import-outlines", str(outlines), "--crs", "cgcs2000"]) == 0


def test_no_database_says_what_to_do(tmp_path):
    import os
    import subprocess
    import sys

    env = {k: v for k, v in os.environ.items() if k != "ANLAN_DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "-m", "anlan", "divisions", "440303", "--data", str(tmp_path)], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and "anlan up --data" in done.stderr and "Traceback" not in done.stderr
