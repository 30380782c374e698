// What every page needs: menus, the sheet, preferences, shortcuts, sortable tables. No framework.
import "./menu.js";
import "./preferences.js";
import "./reviews.js";
import "./sheet.js";
import "./shortcuts.js";
import "./sort.js";
