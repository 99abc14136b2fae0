"""Packaging of mstl: metadata, dependencies, extras and the `mstl` command."""
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

REQUIRES = [
    "tensorflow>=2.21,<2.22",
    "tf-keras>=2.21,<2.22",
    "tensorboard>=2.20",
    "segmentation-models==1.0.1",
    "albumentations==2.0.8",
    "opencv-python-headless>=4.9",
    "nibabel>=5.2",
    "SimpleITK>=2.3",
    "nilearn>=0.12",
    "scikit-learn>=1.4",
    "threadpoolctl>=3.1",
    "scipy>=1.11",
    "numpy>=1.26",
    "pandas>=2.1",
    "h5py>=3.10",
    "ml_dtypes>=0.3",  # bfloat16 for numpy, without starting TensorFlow
    "joblib>=1.4",
    "matplotlib>=3.8",
    "Jinja2>=3.1",
    "PyYAML>=6.0",
    "Pillow>=10.1",
    "MarkupSafe>=2.1",
    "typer>=0.12",
    "rich>=13.7",
    "pooch>=1.8",
    "requests>=2.31",
]
DASK = ["dask[distributed]>=2024.8"]  # cases prepared on a cluster
EXTRAS = {
    "cuda": ["tensorflow[and-cuda]>=2.21,<2.22"],
    "notebooks": ["jupyterlab>=4.0", "ipykernel>=6.29"],
    "dask": DASK,
    "test": [
        "pytest>=8.0", "pytest-xdist>=3.7", "hypothesis>=6.100", "nbmake>=1.5", "ipykernel>=6.29", "ruff>=0.6",
        "MedPy>=0.5.2", *DASK,
    ],
    "bench": ["torch>=2.3"],
    "docs": ["sphinx>=9.0", "myst-nb>=1.4", "furo>=2025.12"],
}

setup(
    name="mstl",
    version="0.1.0",
    description="MRI lesion segmentation by transfer learning, in Keras",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    packages=[*find_packages(include=["mstl", "mstl.*"]), "mstl.weights"],
    package_dir={"mstl.weights": "weights"},
    package_data={"mstl": ["reporting/templates/*"], "mstl.weights": ["*.yaml", "*.md", "*.h5"]},
    python_requires=">=3.10,<3.13",
    install_requires=REQUIRES,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["mstl = mstl.cli:main"]},
    classifiers=[
        "Programming Language :: Python :: 3",
        "Intended Audience :: Science/Research",
        "Topic :: Scientific/Engineering :: Medical Science Apps.",
    ],
)
