// All of it is in the header, so that it becomes part of its caller.
#include "CByteScan.h"
