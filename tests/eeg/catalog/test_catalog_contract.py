"""What every declared dataset keeps: from simulated raw files to windows that a classifier can learn from."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.signal import welch

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog import datasets
from neuroprism.eeg.checks import amplitude_uv
from neuroprism.eeg.dataset_registry import Dataset
from neuroprism.eeg.recordings import Recording, Windows
from neuroprism.eeg.simulate import simulate_raw, simulators

HEADS = {
    "FACED": (320, 64_000, 9),
    "SEED-V": (62, 12_400, 5),
    "PhysioNet-MI": (256, 51_200, 4),
    "SHU-MI": (128, 25_600, 1),
    "ISRUC": (180, 36_000, 5),
    "CHB-MIT": (160, 32_000, 1),
    "BCIC2020-3": (192, 38_400, 5),
    "Mumtaz2016": (95, 19_000, 1),
    "SEED-VIG": (136, 27_200, 1),
    "MentalArithmetic": (100, 20_000, 1),
    "TUEV": (80, 16_000, 6),
    "TUAB": (160, 32_000, 1),
    "BCIC-IV-2a": (88, 17_600, 4),
    "MODMA": (1920, 384_000, 1),
}
"""Tokens C x S, input features of the flattened head, outputs."""

TOTALS = {
    "FACED": 10_332,
    "SEED-V": 117_744,
    "PhysioNet-MI": 9_792,
    "BCIC2020-3": 6_000,
    "SEED-VIG": 20_355,
    "MentalArithmetic": 1_707,
    "TUEV": 113_353,
    "TUAB": 409_455,
    "BCIC-IV-2a": 5_184,
}
"""Published numbers of windows; of the others no counts by split are published."""

CHANCE_BEATEN_BY = 0.15
"""Balanced accuracy above chance that band powers and a linear classifier reach on simulated recordings."""

BANDS_HZ = ((0.5, 4), (4, 7), (7, 9), (9, 12), (12, 16), (16, 21), (21, 30), (30, 45))


MOST_WINDOWS = 150
"""Windows of a recording and a split that band powers are computed of."""


@dataclass
class Cut:
    """Everything that was cut from a simulated folder; band powers and their targets of part of it."""

    dataset: Dataset
    recordings: tuple[Recording, ...] = ()
    features: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    labels: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    targets: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    subjects: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    windows: list[tuple[str, Windows]] = field(default_factory=list)


def band_powers(values: np.ndarray) -> np.ndarray:
    """Return log band powers (n, features) of windows (n, C, T), relative to the window's mean."""
    frequencies, density = welch(values, 200.0, nperseg=200, axis=-1)
    bands = [density[..., (frequencies >= a) & (frequencies < b)].mean(axis=-1) for a, b in BANDS_HZ]
    features = np.log(np.stack(bands, axis=-1) + 1e-6).reshape(len(values), -1)
    return features - features.mean(axis=1, keepdims=True)


@pytest.fixture(scope="module", params=sorted(datasets))
def cut(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cut]:
    dataset = datasets[request.param]
    root = tmp_path_factory.mktemp("contract") / "raw"
    simulate_raw(request.param, root, n_subjects=3, seed=1)
    found = dataset.find(root)
    result = Cut(dataset, recordings=found.recordings)
    plan = dataset.spec.split.plan(found.recordings)
    for recording in found.recordings:
        windows = dataset.cut(recording)
        splits = np.array([plan(recording, int(trial)) or "" for trial in windows.trials])
        spec = dataset.spec
        for split in set(splits.tolist()) - {""}:
            rows = np.flatnonzero(splits == split)
            result.labels[split].append(windows.labels[rows].ravel())
            rows = rows[:: -(-len(rows) // MOST_WINDOWS)]
            each = windows.values[rows].reshape(-1, spec.n_channels, spec.n_times)
            result.features[split].append(band_powers(each))
            result.targets[split].append(windows.labels[rows].ravel())
            result.subjects[split].add(recording.subject)
        result.windows.append((recording.key, windows))
    yield result
    shutil.rmtree(root)


def test_all_fourteen_are_declared() -> None:
    assert set(datasets) == set(simulators) == set(HEADS)


@pytest.mark.parametrize("name", sorted(datasets))
def test_declaration_is_complete(name: str) -> None:
    spec = datasets[name].spec
    assert spec.name == name
    for text in ("title", "label_rule", "raw_layout", "access", "licence", "citation", "source"):
        assert len(getattr(spec, text)) > 2, text
        assert "to verify" not in getattr(spec, text).casefold()
    assert spec.split.text
    assert spec.n_subjects > 0
    assert spec.source_rates_hz
    assert all("  " not in note for note in spec.notes)
    for anchor in spec.anchors:
        assert anchor.source
        assert set(anchor.values) <= set(spec.metrics)
        assert all(0 < value < 1 for value in anchor.values.values())
    assert name == "MODMA" or spec.anchors


@pytest.mark.parametrize("name", sorted(datasets))
def test_sizes_follow_from_the_declaration(name: str) -> None:
    spec = datasets[name].spec
    tokens, features, outputs = HEADS[name]
    assert spec.n_channels * spec.n_patches == tokens
    assert spec.n_channels * spec.n_times == features
    assert spec.n_outputs == outputs
    if name in TOTALS:
        assert sum(spec.expected.values()) == TOTALS[name]
        assert set(spec.expected) == {"train", "val", "test"}


def test_fingerprints_differ() -> None:
    assert len({dataset.spec.fingerprint() for dataset in datasets.values()}) == len(datasets)


def test_windows_are_as_declared(cut: Cut) -> None:
    spec = cut.dataset.spec
    for key, windows in cut.windows:
        n = len(windows)
        assert n > 0, key
        assert windows.values.shape == (n, *spec.window_shape), key
        assert windows.values.dtype == np.float32
        assert np.isfinite(windows.values).all()
        per_sample = (n,) if spec.sequence_length == 1 else (n, spec.sequence_length)
        assert windows.labels.shape == per_sample
        assert windows.starts_s.shape == windows.trials.shape == (n,)
        assert windows.trials.dtype == np.int64
        assert windows.starts_s.dtype == np.float64
        if spec.task == "regression":
            assert windows.labels.dtype == np.float32
            assert windows.labels.min() >= 0
            assert windows.labels.max() <= 1
        else:
            assert windows.labels.dtype == np.int64
            assert set(np.unique(windows.labels)) <= set(range(len(spec.class_names)))


def test_amplitudes_are_microvolt(cut: Cut) -> None:
    for key, windows in cut.windows:
        amplitudes = amplitude_uv(windows.values.reshape(-1, cut.dataset.spec.n_times))
        assert 1 < np.median(amplitudes) < 200, key


def test_every_split_has_windows_of_every_class_and_its_own_people(cut: Cut) -> None:
    spec = cut.dataset.spec
    assert set(cut.labels) == {"train", "val", "test"}
    for split, parts in cut.labels.items():
        labels = np.concatenate(parts)
        if spec.task == "regression":
            assert labels.std() > 0.05
        else:
            assert set(labels.tolist()) == set(range(len(spec.class_names))), split
    people = Counter(subject for subjects in cut.subjects.values() for subject in subjects)
    assert (max(people.values()) > 1) == spec.within_subject


def test_keys_are_unique_plain_names_and_files_are_there(cut: Cut) -> None:
    keys = [recording.key for recording in cut.recordings]
    assert len(set(keys)) == len(keys)
    for recording in cut.recordings:
        assert recording.key
        assert not set(recording.key) & set('/\\:*?"<>|')
        assert recording.subject
        assert recording.paths
        assert all(path.is_file() for path in recording.paths)


def test_a_linear_classifier_learns_the_classes(cut: Cut) -> None:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = {split: np.concatenate(parts) for split, parts in cut.features.items()}
    y = {split: np.concatenate(parts) for split, parts in cut.targets.items()}
    if cut.dataset.spec.task == "regression":
        model = make_pipeline(StandardScaler(), Ridge(100.0)).fit(x["train"], y["train"])
        assert np.corrcoef(model.predict(x["test"]), y["test"])[0, 1] > 0.5
        return
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300, class_weight="balanced"))
    model.fit(x["train"], y["train"])
    score = balanced_accuracy_score(y["test"], model.predict(x["test"]))
    assert score > 1 / len(cut.dataset.spec.class_names) + CHANCE_BEATEN_BY


@pytest.mark.parametrize("name", sorted(datasets))
def test_an_empty_folder_is_refused(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(DataError) as caught:
        datasets[name].find(tmp_path_factory.mktemp("empty"))
    assert "\n" not in str(caught.value)
