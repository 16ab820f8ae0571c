# SPDX-License-Identifier: Apache-2.0
dist_man_MANS += man/schleuse-proxy.8
dist_man_MANS += man/schleuse-proxy.yaml.5
