#include "lib/hub.h"
