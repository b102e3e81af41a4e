#include "job/outputs.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "core/text.h"
#include "output/text_format.h"
#include "ptrun/error.h"
#include "ptrun/model.h"

namespace ptrun {
namespace {

// Also for a link to nothing: a file cannot get that name.
bool exists(const std::string& path, struct stat& info) {
  return ::stat(path.c_str(), &info) == 0 || ::lstat(path.c_str(), &info) == 0;
}

// One spelling for every way to name a file in an existing folder.
std::filesystem::path one_spelling(const std::string& path) {
  const std::filesystem::path given(path);
  std::error_code error;
  const std::filesystem::path folder =
      std::filesystem::canonical(given.has_parent_path() ? given.parent_path() : std::filesystem::path("."), error);
  return error ? given : folder / given.filename();
}

void check_task(const OutputFormat& format, const std::string& subject, Task task) {
  if (fits(format, task)) return;
  std::vector<std::string> fitting;
  for (const OutputFormat& other : output_format_table()) {
    if (fits(other, task) && !other.extension.empty()) fitting.emplace_back(other.extension);
  }
  std::vector<std::string> tasks;
  for (const Task other : format.tasks) tasks.emplace_back(to_string(other));
  throw Error(ErrorCode::invalid_argument, subject,
              std::string(format.name) + " cannot hold the results of the task " + to_string(task) + ", expected " +
                  join_some(fitting) + "; it holds those of " + join_some(tasks) + " (--task)");
}

void check_file(const std::string& path, const JobOptions& options) {
  const std::string subject = printable(path);
  struct stat info {};
  if (exists(path, info)) {
    if (S_ISDIR(info.st_mode)) {
      throw Error(ErrorCode::invalid_argument, subject, "is a folder, expected the name of a file");
    }
    if ((S_ISREG(info.st_mode) || S_ISLNK(info.st_mode)) && !options.force) {
      throw Error(ErrorCode::invalid_argument, subject,
                  "the output exists already; give another name, or --force to replace it");
    }
    return;
  }
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  if (::stat(folder.c_str(), &info) != 0) {
    throw Error(ErrorCode::invalid_argument, subject,
                "the folder " + printable(folder) + " does not exist; make it first");
  }
  if (!S_ISDIR(info.st_mode)) {
    throw Error(ErrorCode::invalid_argument, subject, printable(folder) + " is no folder");
  }
}

void check_picture_folder(const std::string& path, const JobOptions& options, std::optional<Task> task) {
  const std::string subject = printable(path);
  if (task && *task != Task::segment) {
    throw Error(ErrorCode::invalid_argument, subject,
                "is a folder for pictures, which the task " + std::string(to_string(*task)) +
                    " has none of; give the name of a file of results, or a model that segments");
  }
  // With its slash a file of that name would not be found.
  const std::size_t last = path.find_last_not_of('/');
  const std::string plain = last == std::string::npos ? path : path.substr(0, last + 1);
  struct stat info {};
  if (!exists(plain, info)) return check_file(plain, options);
  if (!S_ISDIR(info.st_mode)) {
    throw Error(ErrorCode::invalid_argument, subject, "is no folder, expected one; give another name");
  }
  std::error_code error;
  const bool empty = std::filesystem::directory_iterator(path, error) == std::filesystem::directory_iterator();
  if (error) throw Error(ErrorCode::invalid_argument, subject, "cannot be read (" + error.message() + ")");
  if (!empty && !options.force) {
    throw Error(ErrorCode::invalid_argument, subject,
                "the folder holds files already; give another name, or --force to write among them");
  }
}

}  // namespace

std::vector<OutputFormatInfo> output_formats() {
  std::vector<OutputFormatInfo> formats;
  for (const OutputFormat& format : output_format_table()) {
    formats.push_back({std::string(format.name), std::string(format.extension)});
  }
  return formats;
}

void check_outputs(const JobOptions& options, std::optional<Task> task) {
  for (auto path = options.outputs.begin(); path != options.outputs.end(); ++path) {
    const auto same = [&](const std::string& other) { return one_spelling(other) == one_spelling(*path); };
    if (std::find_if(options.outputs.begin(), path, same) != path) {
      throw Error(ErrorCode::invalid_argument, printable(*path), "the output is named twice, expected once");
    }
    if (names_picture_folder(*path)) {
      if (std::find_if(options.outputs.begin(), path, names_picture_folder) != path) {
        throw Error(ErrorCode::invalid_argument, printable(*path), "is a second folder for pictures, expected one");
      }
      check_picture_folder(*path, options, task);
      continue;
    }
    const OutputFormat& format = output_format_for(*path);
    check_file(*path, options);
    if (task) check_task(format, printable(*path), *task);
  }
  if (options.stdout_format.empty()) return;
  const OutputFormat& format = output_format_named(options.stdout_format);
  if (task) check_task(format, "standard output", *task);
  if (!options.write_stdout) {
    throw Error(ErrorCode::invalid_argument, "JobOptions::write_stdout", "is not set, expected with stdout_format");
  }
}

std::optional<Task> task_of_outputs(const JobOptions& options) {
  if (options.outputs.empty() || !options.stdout_format.empty()) return std::nullopt;
  for (const std::string& path : options.outputs) {
    if (names_picture_folder(path)) return std::nullopt;
    if (output_format_for(path).tasks != std::vector<Task>{Task::tensors}) return std::nullopt;
  }
  return Task::tensors;
}

namespace job {
namespace {

// An image may have the name that a picture gets.
void check_no_image_below(const std::string& folder, const std::vector<std::string>& images) {
  std::error_code error;
  const std::filesystem::path root = std::filesystem::canonical(folder, error);
  if (error) return;  // not there yet
  std::set<std::filesystem::path> seen;
  for (const std::string& image : images) {
    const std::filesystem::path parent = std::filesystem::path(image).parent_path();
    if (!seen.insert(parent).second) continue;
    const std::filesystem::path place = std::filesystem::weakly_canonical(parent.empty() ? "." : parent, error);
    if (error || std::mismatch(root.begin(), root.end(), place.begin(), place.end()).first != root.end()) continue;
    throw Error(ErrorCode::invalid_argument, printable(folder),
                "the folder holds images to read, such as " + printable(image) + "; give another one for pictures");
  }
}

}  // namespace

void check_not_read(const JobOptions& options, const std::string& model, const std::vector<std::string>& images) {
  for (const std::string& output : options.outputs) {
    if (names_picture_folder(output)) check_no_image_below(output, images);
    struct stat written {};
    // Without --force an output that exists is refused anyway; a device is not replaced.
    if (::stat(output.c_str(), &written) != 0 || !S_ISREG(written.st_mode)) continue;
    const auto is_output = [&](const std::string& path) {
      struct stat info {};
      return ::stat(path.c_str(), &info) == 0 && info.st_dev == written.st_dev && info.st_ino == written.st_ino;
    };
    if (is_output(model)) {
      throw Error(ErrorCode::invalid_argument, printable(output), "the output is the model file; give another name");
    }
    if (std::any_of(images.begin(), images.end(), is_output)) {
      throw Error(ErrorCode::invalid_argument, printable(output),
                  "the output is one of the images to read; give another name");
    }
  }
}

Outputs::Outputs(const JobOptions& options, const Model& model, const std::vector<std::string>& paths) {
  OutputContext context;
  context.task = model.task();
  context.topk = options.predict.topk;
  const std::size_t classes = model.labels().names.size();
  if (classes > 0)
    context.topk = static_cast<int>(std::min<std::size_t>(classes, static_cast<std::size_t>(context.topk)));
  context.logits = options.predict.activation == Activation::none;
  context.line_columns = options.stdout_columns;
  for (const std::string& path : options.outputs) {
    if (names_picture_folder(path)) {
      pictures_ = std::make_unique<PictureFolder>(path, paths);
      continue;
    }
    const OutputFormat& format = output_format_for(path);
    Target target;
    target.file = std::make_unique<OutputFile>(path, format.atomic, options.force);
    target.writer = format.make([file = target.file.get()](std::string_view bytes) { file->write(bytes); }, context);
    targets_.push_back(std::move(target));
  }
  if (options.stdout_format.empty()) return;
  const OutputFormat& format = output_format_named(options.stdout_format);
  // Only the table asks; for a million paths it is worth not to measure them.
  if (format.extension.empty()) {
    for (const std::string& path : paths) {
      context.path_columns = std::max(context.path_columns, display_width(printable(path, 4096)));
    }
  }
  const auto sink = [write = options.write_stdout](std::string_view bytes) { write(std::string(bytes)); };
  targets_.push_back({nullptr, format.make(sink, context)});
}

void Outputs::write(Row row) {
  if (pictures_ && row.outcome.ok()) row.picture = pictures_->write(row.path, *row.outcome.prediction);
  for (Target& target : targets_) target.writer->write(row);
}

void Outputs::finish(bool complete) {
  for (Target& target : targets_) target.writer->finish();
  for (Target& target : targets_) {
    if (target.file) target.file->commit(complete);
  }
}

}  // namespace job
}  // namespace ptrun
