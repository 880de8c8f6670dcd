/** Deletes source maps and types of the packages from an image: no program reads them. */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

for (const entry of readdirSync('node_modules', { recursive: true, withFileTypes: true })) {
  if (entry.isFile() && /\.(?:map|d\.[cm]?ts)$/.test(entry.name)) {
    rmSync(join(entry.parentPath, entry.name))
  }
}
