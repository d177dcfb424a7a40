# SPDX-License-Identifier: MIT
"""`make formal`: its list is that of formal/ and of docs/formal.md, each bug is still to be planted where it says, and no verdict is taken for another."""

import pytest

from tb.bench.runner import RTL, sources_of
from tb.commands import formal

STUB = """#!/bin/sh
# SPDX-License-Identifier: MIT
echo "SBY [job] DONE ({word}, rc=0)"
"""


def test_every_file_of_properties_has_a_proof():
    files = {path.stem for path in formal.PROPERTIES.glob("*.v")}
    assert files == {proof.file.stem for proof in formal.PROOFS}


def test_every_proof_has_a_name_of_its_own():
    names = [proof.name for proof in formal.PROOFS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("proof", formal.PROOFS, ids=lambda proof: proof.name)
def test_a_bug_has_one_place(proof):
    assert (RTL / f"{proof.module}.v").read_text().count(proof.before) == 1, f"not there once: {proof.before}"
    assert proof.before != proof.after


def test_a_bounded_proof_says_why_it_is_complete():
    assert all(bool(proof.cycles) == bool(proof.why) and not (proof.cycles and proof.induction) for proof in formal.PROOFS)


def test_what_the_properties_replace_is_read_once():
    """A module that the properties bring is not that of rtl/, and is one of those below the module: else it would replace nothing."""
    for proof in formal.PROOFS:
        for name in proof.replaced:
            assert f"module {name} " in proof.file.read_text()
            assert RTL / f"{name}.v" in sources_of(proof.module)
            assert str(RTL / f"{name}.v") not in formal.script(proof, RTL)


def test_the_page_is_that_of_the_list():
    """A page that `make formal` did not write anew after a change of the list is stale."""
    results = [{"module": proof.module, "parameters": proof.parameters, "what": proof.what, "bound": proof.bound, "verdict": "holds", "with_bug": "fails"}
               for proof in formal.PROOFS]
    assert formal.PAGE.read_text() == formal.page(results)


@pytest.mark.parametrize("word, verdict", [("PASS", "holds"), ("FAIL", "fails"), ("UNKNOWN", None), ("TIMEOUT", None), ("ERROR", None)])
def test_only_a_verdict_is_taken_for_one(monkeypatch, tmp_path, word, verdict):
    monkeypatch.setattr(formal, "FOLDER", tmp_path)
    sby = tmp_path / "bin" / "sby"
    sby.parent.mkdir()
    sby.write_text(STUB.format(word=word))
    sby.chmod(0o755)
    if verdict:
        assert formal.decide(formal.PROOFS[0], RTL, tmp_path / "job")[0] == verdict
    else:
        with pytest.raises(formal.FormalError, match="no verdict"):
            formal.decide(formal.PROOFS[0], RTL, tmp_path / "job")


def test_a_word_that_no_proof_has_is_refused(capsys):
    with pytest.raises(SystemExit):
        formal.main(["nothing_of_this_name"])
    assert "no proof has nothing_of_this_name in its name" in capsys.readouterr().err


def test_a_missing_tool_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(formal, "FOLDER", tmp_path)
    monkeypatch.setattr(formal, "TOOLS", {"sby": "no-such-tool"})
    with pytest.raises(formal.FormalError, match=r"no-such-tool is missing; install requirements-formal.txt"):
        formal.tools()
