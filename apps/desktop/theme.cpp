#include "theme.h"

#include <QApplication>
#include <QStyle>
#include <QStyleFactory>

namespace desktop {
namespace {

QPalette palette_of(const QColor& window, const QColor& base, const QColor& button, const QColor& text,
                    const QColor& accent) {
  QPalette palette;
  palette.setColor(QPalette::Window, window);
  palette.setColor(QPalette::Base, base);
  palette.setColor(QPalette::AlternateBase, window);
  palette.setColor(QPalette::Button, button);
  for (const QPalette::ColorRole role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText}) {
    palette.setColor(role, text);
    QColor disabled = text;
    disabled.setAlpha(110);
    palette.setColor(QPalette::Disabled, role, disabled);
  }
  QColor placeholder = text;
  placeholder.setAlpha(130);
  palette.setColor(QPalette::PlaceholderText, placeholder);
  palette.setColor(QPalette::ToolTipBase, button);
  palette.setColor(QPalette::ToolTipText, text);
  palette.setColor(QPalette::Highlight, accent);
  palette.setColor(QPalette::HighlightedText, Qt::white);
  palette.setColor(QPalette::Link, accent);
  return palette;
}

}  // namespace

void apply_theme(Theme theme) {
  static const QString system_style = QApplication::style()->name();
  if (theme == Theme::system) {
    QApplication::setStyle(QStyleFactory::create(system_style));
    QApplication::setPalette(QPalette());
    return;
  }
  QApplication::setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
  QApplication::setPalette(theme == Theme::dark
                               ? palette_of(QColor(37, 39, 43), QColor(28, 30, 33), QColor(52, 55, 60),
                                            QColor(228, 230, 233), QColor(66, 133, 220))
                               : palette_of(QColor(243, 244, 246), QColor(255, 255, 255), QColor(250, 250, 251),
                                            QColor(32, 34, 38), QColor(38, 110, 205)));
}

QString theme_name(Theme theme) {
  switch (theme) {
    case Theme::light: return QStringLiteral("light");
    case Theme::dark: return QStringLiteral("dark");
    case Theme::system: break;
  }
  return QStringLiteral("system");
}

Theme theme_named(const QString& name) {
  for (const Theme theme : {Theme::light, Theme::dark}) {
    if (name == theme_name(theme)) return theme;
  }
  return Theme::system;
}

bool is_dark(const QPalette& palette) {
  return palette.color(QPalette::Window).lightness() < palette.color(QPalette::WindowText).lightness();
}

QColor tint(const QPalette& palette, double strength) {
  QColor colour = palette.color(QPalette::Text);
  colour.setAlphaF(static_cast<float>(strength));
  return colour;
}

QColor faded(const QPalette& palette) {
  QColor colour = palette.color(QPalette::Text);
  colour.setAlpha(165);
  return colour;
}

QColor error_colour(const QPalette& palette) { return is_dark(palette) ? QColor(255, 138, 128) : QColor(179, 38, 30); }

}  // namespace desktop
