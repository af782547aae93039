# SPDX-License-Identifier: MIT
"""What a run says of published claims, and what a patch may say of a run."""
