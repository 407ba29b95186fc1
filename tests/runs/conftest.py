"""Logs as earlier code wrote them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Training loss, balanced accuracy, kappa and weighted F1 of the EEGMamba fine-tuning on PhysioNet-MI that is
# published with github.com/HosseinDahaei/EEGMamba (commit 9e28929): 50 epochs, as printed.
PUBLISHED = """
1.23511 0.53389 0.37860 0.53112  0.91996 0.52818 0.37099 0.52640  0.66745 0.52473 0.36637 0.52450
0.47701 0.51329 0.35104 0.51267  0.40430 0.50976 0.34639 0.50663  0.38116 0.52596 0.36795 0.52470
0.36708 0.53226 0.37638 0.53136  0.35997 0.53629 0.38177 0.53551  0.35696 0.53689 0.38256 0.53597
0.35552 0.53282 0.37715 0.53118  0.35502 0.53342 0.37793 0.53287  0.35446 0.53574 0.38102 0.53470
0.35426 0.53571 0.38099 0.53503  0.35397 0.54093 0.38794 0.54036  0.35365 0.53631 0.38178 0.53503
0.35337 0.53573 0.38101 0.53457  0.35318 0.53573 0.38101 0.53449  0.35292 0.53514 0.38023 0.53463
0.35265 0.53401 0.37871 0.53304  0.35250 0.54150 0.38870 0.54096  0.35230 0.53398 0.37868 0.53317
0.35208 0.53225 0.37639 0.53178  0.35197 0.53170 0.37562 0.53032  0.35177 0.53514 0.38024 0.53459
0.35174 0.52937 0.37255 0.52901  0.35159 0.53977 0.38639 0.53904  0.35154 0.53459 0.37948 0.53400
0.35145 0.53516 0.38025 0.53417  0.35126 0.53286 0.37717 0.53210  0.35118 0.53800 0.38406 0.53728
0.35114 0.53631 0.38178 0.53586  0.35096 0.53918 0.38562 0.53887  0.35092 0.53344 0.37794 0.53250
0.35084 0.53860 0.38484 0.53817  0.35073 0.53917 0.38561 0.53857  0.35067 0.53516 0.38024 0.53425
0.35065 0.54090 0.38792 0.54056  0.35052 0.54035 0.38716 0.53982  0.35046 0.54151 0.38870 0.54091
0.35040 0.54091 0.38793 0.54035  0.35035 0.53920 0.38563 0.53833  0.35033 0.54035 0.38716 0.53968
0.35031 0.54149 0.38870 0.54099  0.35031 0.53747 0.38332 0.53663  0.35023 0.53919 0.38562 0.53862
0.35022 0.53861 0.38485 0.53795  0.35016 0.53804 0.38408 0.53733  0.35024 0.53919 0.38562 0.53851
0.35021 0.53862 0.38485 0.53789  0.35019 0.53919 0.38562 0.53853
"""
# Of the selected epoch 39; kappa of epochs 20, 39 and 43 agrees in all five printed digits.
VALIDATION_MATRIX = [[258, 55, 55, 67], [48, 236, 72, 76], [75, 76, 204, 79], [60, 69, 63, 241]]
TEST_MATRIX = [[279, 28, 60, 70], [34, 283, 53, 63], [62, 73, 198, 109], [44, 65, 76, 261]]


def cohen_kappa(matrix: list[list[int]]) -> float:
    """Cohen (1960): agreement beyond chance of true (rows) and predicted labels."""
    n = sum(map(sum, matrix))
    agreed = sum(matrix[k][k] for k in range(len(matrix))) / n
    by_chance = sum(sum(matrix[k]) * sum(row[k] for row in matrix) for k in range(len(matrix))) / n**2
    return (agreed - by_chance) / (1 - by_chance)


def balanced_accuracy(matrix: list[list[int]]) -> float:
    return sum(row[k] / sum(row) for k, row in enumerate(matrix)) / len(matrix)


def weighted_f1(matrix: list[list[int]]) -> float:
    """F1 of each class, weighted by its number of true samples."""
    n = sum(map(sum, matrix))
    columns = [sum(row[k] for row in matrix) for k in range(len(matrix))]
    return sum(sum(row) / n * 2 * row[k] / (sum(row) + columns[k]) for k, row in enumerate(matrix))


def reference_log() -> dict[str, Any]:
    """Return the published run as a log of the earlier code."""
    numbers = [float(word) for word in PUBLISHED.split()]
    kappa = numbers[2::4]
    kappa[38] = cohen_kappa(VALIDATION_MATRIX)
    rates = [1e-6 + 0.5 * (1e-4 - 1e-6) * (1 + math.cos(math.pi * epoch / 50)) for epoch in range(1, 51)]
    return {
        "train_loss": numbers[0::4],
        "val_acc": numbers[1::4],
        "val_kappa": kappa,
        "val_f1": numbers[3::4],
        "val_pr_auc": [],
        "val_roc_auc": [],
        "val_corrcoef": [],
        "val_r2": [],
        "val_rmse": [],
        "learning_rate": rates,
        # The first took 0.97 min, all 31.33 min; the others, 0.61 to 0.64, are shared out evenly.
        "epoch_time": [0.97] + [(31.33 - 0.97) / 49] * 49,
        "test_results": {
            "acc": balanced_accuracy(TEST_MATRIX),
            "kappa": cohen_kappa(TEST_MATRIX),
            "f1": weighted_f1(TEST_MATRIX),
            "confusion_matrix": TEST_MATRIX,
            "best_epoch": 39,
        },
    }


@pytest.fixture
def reference() -> dict[str, Any]:
    return reference_log()


@pytest.fixture
def write_log(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of logs as earlier code wrote them: indented by 2, bare NaN."""

    def write(content: Any, folder: str = "results/physio_models_test") -> Path:
        path = tmp_path / folder / "training_log.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2))
        return path

    return write
