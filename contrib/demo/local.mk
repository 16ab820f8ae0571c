# SPDX-License-Identifier: Apache-2.0
# The demonstration federation; uses the stand-ins of tests/sim.
EXTRA_DIST += \
	contrib/demo/demo.py \
	contrib/demo/processes.py \
	contrib/demo/push.py \
	contrib/demo/realtour.py \
	contrib/demo/registration.py \
	contrib/demo/servers.py \
	contrib/demo/tour.py \
	contrib/demo/world.py
