#include "output/picture_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "image/image.h"
#include "output/class_png.h"
#include "ptrun/error.h"
#include "support/scratch.h"

namespace ptrun {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

Prediction two_pixels() {
  Prediction prediction;
  prediction.task = Task::segment;
  prediction.geometry.original_width = 2;
  prediction.geometry.original_height = 1;
  prediction.segment_map = {1, 15};
  return prediction;
}

TEST(ClassPng, HasThePaletteOfVoc) {
  std::vector<std::uint8_t> map(256);
  for (std::size_t i = 0; i < map.size(); ++i) map[i] = static_cast<std::uint8_t>(i);
  image::Pixels pixels;
  image::decode(class_png(map, 64, 4), "map.png", {}, pixels);
  EXPECT_EQ(pixels.mode, "P");
  ASSERT_EQ(pixels.width, 64);
  ASSERT_EQ(pixels.height, 4);
  const auto colour = [&](std::size_t i) {
    return std::vector<int>{pixels.data[3 * i], pixels.data[3 * i + 1], pixels.data[3 * i + 2]};
  };
  // Rows of VOC2012's labelcolormap: background, aeroplane, bicycle, person, void.
  EXPECT_THAT(colour(0), ElementsAre(0, 0, 0));
  EXPECT_THAT(colour(1), ElementsAre(128, 0, 0));
  EXPECT_THAT(colour(2), ElementsAre(0, 128, 0));
  EXPECT_THAT(colour(15), ElementsAre(192, 128, 128));
  EXPECT_THAT(colour(255), ElementsAre(224, 224, 192));
}

TEST(PictureFolder, KeepsTheTreeBelowWhatAllPathsShare) {
  const test::ScratchFolder scratch;
  const std::string folder = scratch.at("maps/");
  PictureFolder pictures(folder, {"in/./a/cat.jpg", "in/b/cat.jpg", "in//b/cat.png"});
  EXPECT_EQ(pictures.write("in/./a/cat.jpg", two_pixels()), folder + "a/cat.png");
  EXPECT_EQ(pictures.write("in/b/cat.jpg", two_pixels()), folder + "b/cat.png");
  EXPECT_EQ(pictures.write("in//b/cat.png", two_pixels()), folder + "b/cat_2.png");
  EXPECT_TRUE(fs::is_regular_file(folder + "b/cat_2.png"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder + "b"), fs::directory_iterator()), 2);
}

TEST(PictureFolder, NamesNeverLeaveIt) {
  const test::ScratchFolder scratch;
  const std::string folder = scratch.at("maps/");
  PictureFolder pictures(folder, {"../../x.jpg", "/etc/y.jpg", "a/../../z.jpg"});
  EXPECT_EQ(pictures.write("../../x.jpg", two_pixels()), folder + "_/_/x.png");
  EXPECT_EQ(pictures.write("/etc/y.jpg", two_pixels()), folder + "etc/y.png");
  EXPECT_EQ(pictures.write("a/../../z.jpg", two_pixels()), folder + "a/_/_/z.png");
  EXPECT_EQ(pictures.write("..", two_pixels()), folder + "_.png");
  EXPECT_EQ(pictures.write(".hidden", two_pixels()), folder + ".hidden.png");
}

TEST(PictureFolder, NothingIsWrittenThroughALink) {
  const test::ScratchFolder scratch;
  const std::string folder = scratch.at("maps/");
  fs::create_directories(folder);
  fs::create_directories(scratch.at("elsewhere"));
  fs::create_directory_symlink(scratch.at("elsewhere"), folder + "a");
  scratch.write("victim", "kept");
  fs::create_symlink(scratch.at("victim"), folder + "x.png");
  PictureFolder pictures(folder, {"a/x.jpg", "x.jpg"});
  try {
    pictures.write("a/x.jpg", two_pixels());
    ADD_FAILURE() << "went through a link";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::output_failed);
    EXPECT_THAT(error.what(), HasSubstr("maps/a: is no folder"));
  }
  pictures.write("x.jpg", two_pixels());
  EXPECT_FALSE(fs::is_symlink(folder + "x.png"));
  EXPECT_EQ(fs::file_size(scratch.at("victim")), 4U);
}

TEST(PictureFolder, WhatHasNoMapIsSaid) {
  const test::ScratchFolder scratch;
  PictureFolder pictures(scratch.at("maps/"), {"x.jpg"});
  Prediction objects = two_pixels();
  objects.segment_map.clear();
  EXPECT_THROW(pictures.write("x.jpg", objects), Error);
  EXPECT_THROW(PictureFolder(scratch.at("no/maps/"), {}), Error);
}

}  // namespace
}  // namespace ptrun
