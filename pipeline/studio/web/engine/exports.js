/** What was colored, as files. */

import { encodePng } from "../formats/png.js";
import { writeOra } from "../formats/ora.js";
