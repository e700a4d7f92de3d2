#include "lib/feed.h"
