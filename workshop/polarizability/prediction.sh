#!/bin/bash
# Predict the polarizability along a trajectory with the files that polarizability.sh wrote:
#
#     bash prediction.sh [trajectory.xyz]
#
# Without a trajectory, the validation frames of the kit are used.
set -e

trajectory=${1:-gap_validate.xyz}

# 1. Descriptors, with the features and settings that were chosen for the training frames (-sf).
sagpr_get_PS -f "$trajectory" -lm 0 -p -sf PS0 -o PS0_new
sagpr_get_PS -f "$trajectory" -lm 2 -p -sf PS2 -o PS2_new

# 2. Kernels between new frames and training frames: two files each, the training set last.
sagpr_get_kernel -ps PS0_new.npy PS0.npy -z 1 -s PS0_new_natoms.npy PS0_natoms.npy -o kernel0_new
sagpr_get_kernel -ps PS2_new.npy PS2.npy -ps0 PS0_new.npy PS0.npy -z 2 \
    -s PS2_new_natoms.npy PS2_natoms.npy -o kernel2_new

# 3. Tensors: trajectory_cartesian.out contains xx xy xz yx yy yz zx zy zz (Å³) of each frame.
sagpr_prediction -r 2 -k kernel0_new.npy kernel2_new.npy -w weights -o trajectory
