/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/providers/provider.h"

const struct provider_type *
provider_of(enum app_provider which)
{
	static const struct provider_type *const types[APP_PROVIDERS] = {
		[APP_APNS] = &provider_apns,
		[APP_FCM] = &provider_fcm,
		[APP_WEBPUSH] = &provider_webpush,
		[APP_UNIFIEDPUSH] = &provider_unifiedpush,
	};

	return types[which];
}
