import ast
import subprocess
import sys
from pathlib import Path

import mrimodels
from mrimodels.catalogue import ARCH_NAMES, NORM_NAMES
from mrimodels.norms import table


def test_the_package_needs_torch_and_the_standard_library_alone():
    allowed = {"torch", "mrimodels"} | sys.stdlib_module_names
    for path in Path(mrimodels.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            else:
                continue
            assert {name.partition(".")[0] for name in names} <= allowed, path.name


def test_the_libraries_of_networks_are_imported_when_one_is_asked_for():
    code = "import mrimodels, sys; print({'torchvision', 'timm', 'monai'} & sys.modules.keys())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


def test_torch_is_imported_when_a_network_is_asked_for():
    code = (
        "import mrimodels, sys\n"
        "mrimodels.ModelSpec(arch='preact_resnet18', norm='group', n_outputs=1)\n"
        "print('torch' in sys.modules, mrimodels.build.__name__)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False build\n"


def test_the_catalogue_names_what_there_is():
    assert tuple(mrimodels.ARCHS) == ARCH_NAMES
    assert tuple(table._SHIPPED) == NORM_NAMES


def test_every_public_name_is_there():
    for name in mrimodels.__all__:
        assert getattr(mrimodels, name) is not None
    assert set(mrimodels.__all__) <= set(dir(mrimodels))
