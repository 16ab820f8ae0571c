/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/err.h"

#define ERR_ROW(id, name, status, errcode, text) [id] = { name, status, errcode, text },
const struct err_row err_rows[ERR_COUNT] = { ERR_ROWS(ERR_ROW) };
