// A folder of pictures, one for each row that has one.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_set>
#include <vector>

#include "ptrun/prediction.h"

namespace ptrun {

// "maps/": the name of a folder for pictures ends with a slash.
bool names_picture_folder(const std::string& output);

// One thread. Pictures never leave the folder, whatever the images are called: what their paths share at the start is
// left out, ".." becomes "_", and nothing is written through a link. Throws output_failed naming the file.
class PictureFolder {
 public:
  // Makes the folder where it is not there. `images`: the paths of the rows to come.
  PictureFolder(const std::string& folder, const std::vector<std::string>& images);

  // Writes the class map of `image`'s prediction as PNG and returns its path, "maps/cat.png"; a name that an earlier
  // image took gets a number. Throws model_failed for a prediction without a map.
  std::string write(const std::string& image, const Prediction& prediction);

 private:
  std::string free_name(const std::string& image);
  void make_folder(const std::string& path);

  std::string folder_;                       // with its slash
  std::size_t shared_ = 0;                   // leading parts that all paths have
  std::unordered_set<std::string> names_;    // taken
  std::unordered_set<std::string> folders_;  // made or looked at
};

}  // namespace ptrun
