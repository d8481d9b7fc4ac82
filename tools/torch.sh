#!/bin/sh
# Installs torch, the one package whose right build depends on the machine, and which therefore is not in the lock:
#   1. a wheel for this version in a folder of $PIP_FIND_LINKS;
#   2. else the build for this machine: for the GPU's driver, or for the CPU (TORCH_BACKEND=cpu|cu130|auto decides);
#   3. else what the package registry serves by default, with its CUDA packages.
# It ends with `import torch`: an installer that skipped it exits with 0, and most tests pass without it.
set -eu
version=2.13.0
cd "$(dirname "$0")/.."
python=.venv/bin/python

# --no-config: pyproject.toml's override keeps torch out of the lock, and would make this command install nothing.
install() { .tools/bin/uv pip install --quiet --no-config --python "$python" "$@" "torch==$version"; }

# pip takes several folders, separated by spaces.
for folder in ${PIP_FIND_LINKS:-}; do
    if ls "$folder"/torch-"$version"*.whl >/dev/null 2>&1; then wheels=$folder; break; fi
done

if [ -n "${wheels:-}" ]; then
    echo "      torch $version from a local wheel"
    install --no-deps --no-index --find-links "$wheels"
else
    backend=${TORCH_BACKEND:-cpu}
    if [ -z "${TORCH_BACKEND:-}" ] && [ -e /dev/nvidiactl ]; then backend=auto; fi
    echo "      torch $version, build '$backend' (cpu: about 0.2 GB to download; with CUDA: about 3 GB)."
    echo "      TORCH_BACKEND=cpu or TORCH_BACKEND=cu130 chooses another."
    if ! install --torch-backend="$backend" 2>/dev/null; then
        echo "      That build cannot be had: taking the registry's default, about 3 GB with its CUDA packages."
        install
    fi
fi
"$python" -c "import torch; print('      import torch:', torch.__version__)"
