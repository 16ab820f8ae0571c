# SPDX-License-Identifier: Apache-2.0
dist_man_MANS += man/schleuse-proxy.8
dist_man_MANS += man/schleuse-proxy.yaml.5
dist_man_MANS += man/schleuse-pushgw.8
dist_man_MANS += man/schleuse-pushgw.yaml.5
dist_man_MANS += man/schleuse-regsvc.8
dist_man_MANS += man/schleuse-regsvc.yaml.5
dist_man_MANS += man/schleusectl.8
