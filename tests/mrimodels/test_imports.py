import ast
import subprocess
import sys
from pathlib import Path

import mrimodels


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
