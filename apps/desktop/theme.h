// Light and dark, and the colours that follow from them.
#pragma once

#include <QColor>
#include <QPalette>
#include <QString>

namespace desktop {

enum class Theme { system, light, dark };

// Sets style and palette of the whole program.
void apply_theme(Theme theme);
// Names for settings: "system", "light", "dark"; an unknown one is the system's.
QString theme_name(Theme theme);
Theme theme_named(const QString& name);

// The text's colour over the background, `strength` 0..1.
QColor tint(const QPalette& palette, double strength);
// For what is said beside the main thing.
QColor faded(const QPalette& palette);
QColor error_colour(const QPalette& palette);
bool is_dark(const QPalette& palette);

}  // namespace desktop
