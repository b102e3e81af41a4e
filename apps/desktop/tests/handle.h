// Handling the window as a user does: drops, keys, choices, screenshots.
#pragma once

#include <QString>
#include <QStringList>
#include <QWidget>

namespace desktop::test {

// Makes `window`, which is shown, the one that keys go to; on Xvfb no window manager does it. False where it is not.
bool activate(QWidget& window);
// Enters with `paths` over the middle of `window` and lets them fall. False where the window did not take them.
bool drop(QWidget& window, const QStringList& paths);
// Chooses the item with `text` in the combo box `name` below `window`, a part of it being enough. False without one.
bool choose(const QWidget& window, const QString& name, const QString& text);
// The text of the QLabel `name` below `window`.
QString label_text(const QWidget& window, const QString& name);
// What the screen shows of `window`, in FOLDER/name.png. Returns the number of different colours in it: a window that
// was not painted has few.
int take_screenshot(QWidget& window, const QString& folder, const QString& name);

// A folder with `count` hard links (else copies) to `photos` by turns, named 00000.jpg and so on.
void fill_folder(const QString& folder, const QString& photos, int count);

}  // namespace desktop::test
