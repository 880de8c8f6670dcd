/** `npm run build`: makes the page that a production install serves. */
import { assemblePage, writeBuiltPage } from './page-files.ts'
import { bundlePage } from './bundle.ts'

const bundled = await bundlePage()
const dir = writeBuiltPage(bundled)
const { gzip_bytes } = assemblePage(bundled)
process.stdout.write(`The console's page is in ${dir} (${gzip_bytes} bytes compressed).\n`)
