#include "lib/client.h"
