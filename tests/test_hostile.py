"""What a store says stays data: hostile text in each field, through each generated format."""

import ast
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas import edit
from nas.base.errors import OutOfReach
from nas.base.paths import study_folder
from nas.experiment.subject import Config
from nas.export.onnx_graph import onnx_model
from nas.export.source import source
from nas.plan.arms import BASELINE
from nas.results.tables import Results
from nas.train import kept
from nas.train.net import Net
from nas.tree.rebuild import python
from reports.case import Case
from reports.files import latex
from reports.pages.variant import variant
from reports.writing import file
from tests.examples import ablation_records
from tests.specimens import Residual, quick

NASTY = (
    'x"""\nraise SystemExit("run")\n"""', "x'''\nimport os\n'''", '"); raise SystemExit() #', "\\",
    "'", '"', "a\nb", "a\r\nimport os", "\x00", "\x1b]52;c;eA==\x07", "\u2028import os",
    "\u202eevil",
    "{{ 7 * 7 }}", "{% import os %}", "</script><script>alert(1)</script>", "<img src=x onerror=y>",
    "-->", "]]>", "javascript:alert(1)", r"\input{/etc/passwd}", "^^5cinput", "a & b \\\\ c", "$x$",
    "%\n", "$(touch x)", "`touch x`", "; touch x", "../../x", "/etc/passwd", "~", "-rf", "=1+1",
    "[x](javascript:y)", "# h", "a|b", "%{x}", "f'{x}'", "@", "",
)  # fmt: skip
hostile = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.lists(st.sampled_from(NASTY), min_size=2, max_size=3).map("".join),
)
SMALL = edit(quick, {"network": Residual()})
LAYERS = SMALL.layers()
TENSORS = {name: tensor.numpy() for name, tensor in Net(LAYERS).state_dict().items()}


def program(text):
    """A Python text's structure: what it does, whatever its string literals hold."""
    made = ast.parse(text)
    for node in ast.walk(made):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(made)


def written(title="A network.", mean=0.5, std=0.25, layers=LAYERS):
    return source(layers, title, mean=mean, std=std, data_size=16)


@given(hostile)
def test_an_exported_program_holds_a_title_as_one_literal_or_refuses_it(title):
    try:
        made = written(title)
    except ValueError:
        assert not title.isprintable()
        return
    assert program(made) == program(written())
    assert title in [n.value for n in ast.walk(ast.parse(made)) if isinstance(n, ast.Constant)]


@given(hostile, st.sampled_from(range(len(LAYERS))), st.sampled_from(("name", "kernel", "rate")))
def test_an_exported_program_refuses_layers_that_no_tape_recorded(text, at, field):
    changed = (*LAYERS[:at], replace(LAYERS[at], **{field: text}), *LAYERS[at + 1 :])
    if field == "name" and re.fullmatch(r"[\w.-]+", text, re.ASCII):
        return
    with pytest.raises(ValueError, match=r"is no name of a layer|must be (int|float)"):
        written(layers=changed)


@pytest.mark.parametrize("field", ["mean", "std"])
@pytest.mark.parametrize("value", ["0.5", "__import__('os')", None, [0.5], float("nan"), True])
def test_an_exported_program_refuses_what_is_no_number(field, value):
    with pytest.raises(ValueError, match="a number in an exported file is finite"):
        written(**{field: value})


@settings(max_examples=12)
@given(hostile)
def test_an_onnx_graph_has_a_title_as_its_text_alone(title):
    made, plain = (onnx_model(LAYERS, TENSORS, text) for text in (title, "A network."))
    assert made.doc_string == title
    made.doc_string = "A network."
    assert made == plain


@given(hostile)
def test_a_tree_as_python_holds_text_as_literals(text):
    made = python(edit(quick, {"network": Config(values=json.dumps(text))}))
    assert program(made) == program(python(edit(quick, {"network": Config(values="{}")})))


def packed(header, tensors=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + tensors


@settings(max_examples=40)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), hostile),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(st.sampled_from(("__metadata__", "pixels", "mean", "std", "x")),
                                inner, max_size=4),
            ),
            max_leaves=6,
        ).map(packed),
    )
)  # fmt: skip
def test_weights_are_read_from_a_file_that_a_run_wrote_or_not_at_all(content):
    with pytest.raises(OutOfReach, match=r"^the weights are no"):
        kept.read(content, LAYERS)


@given(hostile)
def test_a_study_is_read_under_a_name_that_is_one_or_not_at_all(text):
    study, _ = ablation_records({BASELINE: [98.0, 98.5]})
    for values in ({"name": text}, {"full_name": f"{text}@0"}, {"full_name": f"x@{text}"}):
        if re.fullmatch(r"[\w-]+", text):
            replace(study, **values)
            continue
        with pytest.raises(ValueError, match="another program wrote it"):
            replace(study, **values)
        with pytest.raises(ValueError, match="is no study's full name"):
            study_folder(values.get("full_name", text))


class Tags(HTMLParser):
    """The tags of a page and the names of their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, *(name for name, _ in attrs)))


def ablation(text):
    """A stored ablation with this text in each field that may hold any."""
    study, made = ablation_records({BASELINE: [98.0, 98.5], f"a{text}": [97.0, 97.5]})
    arms = (study.arms[0], replace(study.arms[1], note=text, parts=(text,)))
    made = [replace(run, reason=text, decisions={f"d{text}": text}) for run in made]
    return Results(replace(study, question=text, arms=arms), tuple(made))


@pytest.mark.parametrize("text", ["".join(NASTY[:20]), "".join(NASTY[20:])])
def test_a_page_has_the_tags_that_it_has_for_plain_text(text):
    made, plain = (Case(ablation(words)) for words in (text, "plain"))
    pages = [
        variant(case, next(r for r in case.shown if r.role == "change")) for case in (made, plain)
    ]
    found, known = (Tags(file(page)).found for page in pages)
    assert set(found) <= set(known)
    listed = [
        p.text for s in pages[0].sections for p in s.parts if getattr(p, "name", "") == "python"
    ]
    ast.parse(listed[0])


def test_a_candidates_id_is_a_literal_in_its_program():
    results = ablation("plain")
    evil = '"; raise SystemExit() #'
    rows = [replace(r, candidate_id=evil) if r.role == "change" else r for r in results.records]
    case = Case(Results(results.study, tuple(rows)))
    page = variant(case, next(row for row in case.shown if row.candidate_id == evil))
    (text,) = [p.text for s in page.sections for p in s.parts if getattr(p, "name", "") == "python"]
    last = ast.parse(text).body[-1]
    assert isinstance(last, ast.Assert)
    assert last.test.comparators[0].value == evil


@settings(max_examples=8)
@given(hostile)
def test_latex_has_the_commands_that_it_has_for_plain_text(text):
    made, plain = (latex(ablation(words).effects) for words in (text, "plain"))
    ours = {
        r"\textbackslash",
        r"\textasciitilde",
        r"\textasciicircum",
        r"\textless",
        r"\textgreater",
    }
    commands = [set(re.findall(r"\\[A-Za-z]+", each)) for each in (made, plain)]
    assert commands[0] <= commands[1] | ours
    assert len(made.splitlines()) == len(plain.splitlines())
    assert len(re.findall(r"(?<!\\)&", made)) == len(re.findall(r"(?<!\\)&", plain))
