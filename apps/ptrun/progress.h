// How a job is going and how it went, as text and JSON.
#pragma once

#include <string>

#include "ptrun/job.h"

namespace ptrun::tool {

// "120/5000 images  103 img/s  0:47 left  2 failed".
std::string progress_line(const Progress& progress);

// "200 images in 1.93 s, 103.6 img/s: 198 done, 2 failed; limit: model (71 % of the work); 2 workers ...".
std::string summary_line(const JobSummary& summary);
std::string summary_json(const JobSummary& summary);

}  // namespace ptrun::tool
