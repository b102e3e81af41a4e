// Compiles only while no public header uses a word that Qt or X11 turns into a macro.
#define emit
#define foreach(variable, container) for (variable : container)
#define forever for (;;)
#define signals public
#define slots
#define Bool int
#define None 0L
#define Status int
#define Success 0
#define Unsorted 0

#include "ptrun/c_api.h"
#include "ptrun/convert.h"
#include "ptrun/inspect.h"
#include "ptrun/job.h"
#include "ptrun/modules.h"
#include "ptrun/results.h"
#include "ptrun/text.h"
