#!/bin/bash
# Train a model of the polarizability of water, stage by stage. Run it in this folder:
#
#     bash polarizability.sh
#
# Each stage writes files. To repeat only a later stage, put a # before the lines of the stages that
# are done: the later stage checks that the files it reads belong together.
set -e

frames=gap_input_200.xyz   # shipped with the kit: 200 frames with their polarizabilities
features=200               # features to select for each λ; try 500

# 1. Descriptors (λ-SOAP power spectra) for the scalar part of the tensor (λ = 0), and for the part
#    that transforms under rotations like the spherical harmonics of order 2 (λ = 2).
sagpr_get_PS -f $frames -lm 0 -p -nc $features -rc 5.0 -sg 0.4 -n 6 -l 5 -rs 1 2 4 -c O -s H O -o PS0
sagpr_get_PS -f $frames -lm 2 -p -nc $features -rc 5.0 -sg 0.4 -n 6 -l 5 -rs 1 2 4 -c O -s H O -o PS2

# 2. Kernels: the similarity of each pair of frames. With -z 2, the kernel of each pair of environments
#    is multiplied by that of their scalar descriptors: similar environments count more.
sagpr_get_kernel -ps PS0.npy -z 1 -s PS0_natoms.npy -o kernel0
sagpr_get_kernel -ps PS2.npy -ps0 PS0.npy -z 2 -s PS2_natoms.npy -o kernel2

# 3. Training on 150 random frames; the other 50 are predicted. Without -reg, the regularization with
#    the smallest leave-one-out error is used.
sagpr_train -r 2 -p Polarizability -t 0.02 -f $frames -k kernel0.npy kernel2.npy \
    -reg 3e-6 1e-3 -rdm 150 -ftr 1.0 -pr -w weights
